// What keeps endings final, each piece so that it can be switched off while the process runs: `off` in the global scope
// names those that are. As with every fault, src knows nothing of it (support/faults.ts).
import type { Fault } from "../support/fault.ts";

const isOff = (name: string): string => `(globalThis as { off?: Set<string> }).off?.has("${name}")`;

/** Does something else while the fault is on, and what stood there while it is not. */
function switched(name: string, module: string, line: string, instead: string): Fault {
  return { module, line, instead: `if (${isOff(name)}) { ${instead} }\n${line}` };
}

/** A write as it would be without a function: it knows the rows that its statement saw before it waited. */
const plain = (statement: string): string =>
  `return { name: "by_snapshot_" + Math.random().toString(36).slice(2), statement: (gate) => sql.fragment\`${statement} AND \${gate} RETURNING 1\` };`;

export const endingFaults = {
  "sessions-by-snapshot": switched(
    "sessions-by-snapshot",
    "db/sessions.ts",
    `  return callFunction("end_sessions", sql.fragment\`end_sessions(\${userId}, \${spared}::uuid, \${reason})\`);`,
    plain(
      `UPDATE sessions SET ended_at = now() WHERE user_id = \${userId} AND ended_at IS NULL AND id IS DISTINCT FROM \${spared}::uuid`,
    ),
  ),
  "other-sessions-by-snapshot": switched(
    "other-sessions-by-snapshot",
    "db/sessions.ts",
    "  const { spared, readBefore, reason, shard, said, audited } = others;",
    plain(`UPDATE sessions SET ended_at = now() WHERE id = ANY(\${sql.array(others.readBefore, 'uuid')})`),
  ),
  "erased-by-snapshot": switched(
    "erased-by-snapshot",
    "db/personal-data.ts",
    `  return callFunction("erase_sessions", sql.fragment\`erase_sessions(\${userId})\`);`,
    plain(`UPDATE sessions SET ended_at = now(), client = NULL WHERE user_id = \${userId}`),
  ),
  "factors-by-snapshot": switched(
    "factors-by-snapshot",
    "db/factors.ts",
    "  const state = [recoveryState([]), appState(null), noPasskeysState];",
    plain(`DELETE FROM recovery_codes WHERE user_id = \${userId}`),
  ),
  "codes-by-snapshot": switched(
    "codes-by-snapshot",
    "db/factors.ts",
    `  const call = sql.fragment\`delete_recovery_codes(\${userId})\`;`,
    plain(`DELETE FROM recovery_codes WHERE user_id = \${userId}`),
  ),
  "new-codes-by-snapshot": switched(
    "new-codes-by-snapshot",
    "db/factors.ts",
    `  const call = sql.fragment\`replace_recovery_codes(\${userId}, \${sql.array(hashes, "bytea")})\`;`,
    `return {
      name: "by_snapshot_" + Math.random().toString(36).slice(2),
      statement: (gate) => sql.fragment\`DELETE FROM recovery_codes WHERE user_id = \${userId} AND \${gate} RETURNING 1\`,
      last: {
        name: "new_codes",
        changes: hashes.length,
        statement: (gate) => sql.fragment\`
          INSERT INTO recovery_codes (user_id, hash)
          SELECT \${userId}, hash FROM unnest(\${sql.array(hashes, "bytea")}) AS hash WHERE \${gate} RETURNING 1\`,
      },
    };`,
  ),
  "no-factors-not-demanded": switched(
    "no-factors-not-demanded",
    "db/factors.ts",
    `  return callFunction("has_no_factors", sql.fragment\`has_no_factors(\${userId})\`);`,
    `return callFunction("has_no_factors", sql.fragment\`\${userId} > 0\`);`,
  ),
  "devices-by-snapshot": switched(
    "devices-by-snapshot",
    "db/attempts.ts",
    `  return callFunction("forget_devices", sql.fragment\`forget_devices(\${userId})\`);`,
    plain(`DELETE FROM known_devices WHERE user_id = \${userId}`),
  ),
  "links-by-snapshot": switched(
    "links-by-snapshot",
    "db/one-time-tokens.ts",
    '  const kinds = sql.array([...of], "text");',
    plain(
      `UPDATE one_time_tokens SET voided_at = now() WHERE user_id = \${userId} AND purpose = ANY(\${sql.array([...of], 'text')}) AND used_at IS NULL AND id IS DISTINCT FROM \${except}::uuid AND (\${askedIn}::uuid IS NULL OR session_id = \${askedIn}::uuid)`,
    ),
  ),
  "link-generation-not-read": {
    module: "db/one-time-tokens.ts",
    line: "(t.voided_at IS NOT NULL OR t.generation <> u.generation) IS TRUE AS outdated",
    instead: `\${${isOff("link-generation-not-read")} ? sql.fragment\`false\` : sql.fragment\`(t.voided_at IS NOT NULL OR t.generation <> u.generation) IS TRUE\`} AS outdated`,
  },
  "challenge-generation-not-read": switched(
    "challenge-generation-not-read",
    "accounts/challenges.ts",
    '  if (found.used) throw refuse("TOKEN_INVALID", { message: "The challenge was answered before." });',
    "found.outdated = false;",
  ),
  "challenge-time-not-demanded": {
    module: "db/challenges.ts",
    line: "export function useChallenge(id: string, most: number): Write {",
    instead: `export function useChallenge(id: string, most: number): Write {\n if (${isOff("challenge-time-not-demanded")}) return countAttempt(id, most);`,
  },
  "bans-not-seen": {
    module: "db/waiting.ts",
    line: `AND none_banned(\${ids}) ELSE`,
    instead: `AND \${${isOff("bans-not-seen")} ? sql.fragment\`true\` : sql.fragment\`none_banned(\${ids})\`} ELSE`,
  },
  "session-not-demanded": switched(
    "session-not-demanded",
    "command/commit.ts",
    '  const outcome = "refusal" in answer ? answer.refusal.code : "ok";',
    "acting = undefined;",
  ),
  "generation-not-demanded": switched(
    "generation-not-demanded",
    "db/users.ts",
    "  const { generation = null, banned = null, confirmed = null, emailKey = null } = expected;",
    "expected = { ...(expected.confirmed !== undefined && { confirmed: expected.confirmed }) };",
  ),
  "deleted-as-read": switched(
    "deleted-as-read",
    "db/users.ts",
    "  const { generation = null, confirmed = null } = expected;",
    "expected = {};",
  ),
} satisfies Record<string, Fault>;
