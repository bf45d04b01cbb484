// authctl keys: the fleet's key pairs, shown and changed in the database itself, by who holds AUTH_DATABASE_URL and AUTH_MASTER_KEY.
import { systemClock } from "../clock.ts";
import type { KeyUse } from "../crypto/keys.ts";
import { fleetKeyRows } from "../db/keys.ts";
import { refuse } from "../errors.ts";
import { type KeyParts, revokeKey, rewrapKeys, rotateKeys } from "../fleet-keys.ts";
import { keyPartsOf } from "../wire.ts";
import { checkAskable, confirmed } from "./ask.ts";
import { type Answer, type Call, type Command, textOption, UsageFault } from "./command.ts";
import { withDatabase } from "./database.ts";
import { targetOf } from "./target.ts";

function withKeys<T>(call: Call, what: string, run: (parts: KeyParts) => Promise<T>): Promise<T> {
  const target = targetOf(call.env);
  return withDatabase(target, what, (pool) => run(keyPartsOf({ config: target.config, clock: systemClock }, pool)));
}

const plain = (done: string[]): Answer => ({ document: { done }, lines: done });

export const keysList: Command = {
  name: "keys list",
  usage: "",
  summary: "shows the fleet's key pairs, their states and times",
  help: `Shows each key pair: its use (sig signs access tokens, enc opens sealed requests), its algorithm, its state (next: published, not used yet;
active; retired: still verifies or opens what is under way), and when it was made, came into use and was retired.

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.`,
  needs: [],
  options: {},
  async run(call) {
    const rows = await withKeys(call, "to look at keys", ({ pool }) => fleetKeyRows(pool));
    const keys = rows.map(({ kid, use, alg, state, createdAt, activeAt, retiredAt }) => ({
      kid,
      use,
      alg,
      state,
      createdAt: shown(createdAt),
      activeAt: shown(activeAt),
      retiredAt: shown(retiredAt),
    }));
    return { document: { keys }, lines: table(keys) };
  },
};

export const keysRotate: Command = {
  name: "keys rotate",
  usage: "[--use sig|enc]",
  summary: "makes the next key now; it comes into use once everybody can know it",
  help: `Makes the next key pair now instead of when the schedule would (AUTH_KEY_ROTATION). It is published at once, and used when it has been
published for AUTH_KEY_PUBLISH_AHEAD; the one before it goes on to verify or to open what is under way. A key that is known to
others must go at once: see keys revoke.

  --use sig|enc   only the key that signs tokens, or only the one that requests are sealed to; default: both

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY, and a running relay, which carries the schedule out.`,
  needs: [],
  options: { use: { type: "string" } },
  async run(call) {
    const uses = usesOf(call);
    return plain(await withKeys(call, "to rotate keys", (parts) => rotateKeys(parts, uses)));
  },
};

export const keysRevoke: Command = {
  name: "keys revoke",
  usage: "KID [--yes]",
  summary: "takes a key away at once: what it signed counts no more",
  help: `For a key that others may know. What it signed is refused everywhere within a fetch of auth.revocation (users go on by a refresh: refresh
tokens are not signed), what was sealed to it cannot be opened any more (requesters seal again by themselves). Where it was the
active one, the next one takes its place first, and it goes some seconds later, when all processes know that.

  --yes   does not ask

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.`,
  needs: ["KID"],
  options: { yes: { type: "boolean" } },
  async run(call) {
    const [kid = ""] = call.words;
    checkAskable(call);
    if (!(await confirmed(call, `Revoke the key ${kid}?`)))
      return { document: { done: [] }, lines: ["Nothing was revoked."], failed: true };
    const done = await withKeys(call, "to revoke a key", (parts) => revokeKey(parts, kid));
    if (done === undefined) throw refuse("NOT_FOUND", { message: `There is no key ${kid}.` });
    return plain(done);
  },
};

export const keysRewrap: Command = {
  name: "keys rewrap",
  usage: "",
  summary: "wraps all data keys with the first key of AUTH_MASTER_KEY",
  help: `To change the master key: put the new one before the old one (AUTH_MASTER_KEY=k2:...,k1:...), start every process again with both,
run this, and take the old one away. It rewrites some rows, not the data.

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.`,
  needs: [],
  options: {},
  async run(call) {
    const { count, kid } = await withKeys(call, "to wrap keys", async (parts) => ({
      count: await rewrapKeys(parts),
      kid: parts.master[0]?.kid,
    }));
    const line =
      count === 0 ? `All data keys are wrapped with ${kid} already.` : `Wrapped ${count} data keys with ${kid}.`;
    return { document: { wrapped: count, master: kid }, lines: [line] };
  },
};

function usesOf(call: Call): KeyUse[] {
  const use = textOption(call, "use");
  if (use === undefined) return ["sig", "enc"];
  if (use !== "sig" && use !== "enc") throw new UsageFault(`--use takes sig or enc, not ${use}.`);
  return [use];
}

const shown = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function table(keys: Record<string, string | null>[]): string[] {
  const names = ["use", "state", "alg", "kid", "createdAt", "activeAt", "retiredAt"];
  const rows = [names, ...keys.map((key) => names.map((name) => key[name] ?? "-"))];
  const widths = names.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join("  ")
      .trimEnd(),
  );
}
