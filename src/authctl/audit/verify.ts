// authctl audit verify: reads the audit's chain from the database and compares it with the heads in the database and
// those that are kept elsewhere; with --state it also compares every account with its audit.
import { readFileSync } from "node:fs";
import { Rights } from "../../audit/rights.ts";
import { compareAccounts, type Differing, TooManyWait } from "../../audit/state.ts";
import { type Verdict, verifyAudit } from "../../audit/verify.ts";
import { ConfigFault } from "../../config/read.ts";
import { type DataKeys, loadDataKeys } from "../../crypto/envelope.ts";
import { auditTopic } from "../../db/audit.ts";
import { dataKeyRows } from "../../db/keys.ts";
import type { DatabasePool } from "../../db/pool.ts";
import { systemClock } from "../../lib/clock.ts";
import { asError } from "../../lib/errors.ts";
import { refuse } from "../../protocol/errors.ts";
import { type CommandResult, flagOption, type Invocation, textOption } from "../command.ts";
import { holdsMasterKey, withDatabaseAtLength } from "../connect/database.ts";
import { withKafka } from "../connect/reach.ts";
import { type FleetTarget, findTarget } from "../connect/target.ts";
import { readSpans } from "../dlq/read.ts";
import { UsageFault } from "../faults.ts";

/** Two months of a head a minute; reading them takes seconds. */
const mostHeads = 100_000n;

export async function auditVerify(call: Invocation): Promise<CommandResult> {
  const [from, to] = [timeOption(call, "from"), timeOption(call, "to")];
  const withState = flagOption(call, "state");
  if (withState && (from !== undefined || to !== undefined))
    throw new UsageFault("--state goes by everything that was audited: leave --from and --to out.");
  const target = findTarget(call.env);
  if (!holdsMasterKey(target.config))
    throw new ConfigFault([
      "AUTH_DATABASE_URL and AUTH_MASTER_KEY (or AUTH_MASTER_KEY_FILE) are needed to verify the audit",
    ]);
  const heads = [...(await headsGiven(call)), ...(flagOption(call, "offline") ? [] : await headsOnTopic(target))];
  const {
    AUTH_MASTER_KEY: master,
    AUTH_AUDIT_RETENTION: retentionMs,
    AUTH_AUDIT_HEAD_EVERY: headEveryMs,
  } = target.config;
  return withDatabaseAtLength(target, "to verify the audit", async (pool) => {
    const dataKeys = loadDataKeys(master ?? [], await dataKeyRows(pool));
    const rights = new Rights();
    const verdict = await verifyAudit({
      pool,
      dataKeys,
      seen: (row) => rights.see(row),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
      heads: [...new Set(heads)],
      retentionMs,
      headEveryMs,
      now: systemClock.now(),
    });
    return withState ? stateAnswer(call, { verdict, rights, pool, dataKeys }) : chainResult(verdict);
  });
}

interface Verified {
  verdict: Verdict;
  rights: Rights;
  pool: DatabasePool;
  dataKeys: DataKeys;
}

/** Accounts are not compared with a chain that is broken. */
async function stateAnswer(call: Invocation, { verdict, rights, pool, dataKeys }: Verified): Promise<CommandResult> {
  const chain = chainResult(verdict);
  if (verdict.broken !== null) return { ...chain, lines: [...chain.lines, "Accounts were not compared."] };
  const complete = verdict.first === 1 || (verdict.first === null && verdict.covered === 0);
  const moved = (accounts: number): void => call.terminal.progress?.(`${accounts} accounts`);
  const state = await compareAccounts({ pool, dataKeys, complete, moved }).catch((error: unknown) => {
    throw error instanceof TooManyWait ? refuse("UNAVAILABLE", { message: error.message }) : error;
  });
  call.terminal.progress?.("");
  const differing = await rights.compare({ pool, dataKeys, complete, behind: verdict.last ?? 0 });
  const ok = state.differing === 0 && differing.length === 0;
  const { accounts, unknown, found } = state;
  return {
    document: { ...chain.document, ok, state: { ...state, rights: differing } },
    lines: [
      ...chain.lines,
      `${accounts} accounts compared: ${state.differing} are not as their audit says${unknown > 0 ? `, of ${unknown} not everything is known` : ""}.`,
      ...found.map(accountLine),
      ...(state.differing > found.length ? [`... and ${state.differing - found.length} more.`] : []),
      ...differing,
    ],
    failed: !ok,
  };
}

function accountLine({ userId, login, aspects }: Differing): string {
  const said = aspects.map(({ aspect, row }) => {
    if (row === null) return `${aspect} (no event made it so)`;
    return `${aspect} (since row ${row === 0 ? "that waits to be chained" : row})`;
  });
  return `${login} (id:${userId}): ${said.join(", ")}.`;
}

function chainResult(verdict: Verdict): CommandResult {
  const { rows, first, last, heads, covered, kept, waiting, broken } = verdict;
  const seen = rows === 0 ? "No row" : `Rows ${first} to ${last}`;
  const lines =
    broken === null
      ? [
          `${seen} verified: ${rows} rows, ${heads} heads, ${kept} heads kept elsewhere.`,
          ...((last ?? 0) > covered ? [`Rows behind row ${covered} have no head yet.`] : []),
          ...(waiting > 0 ? [`${waiting} rows wait to be chained.`] : []),
        ]
      : [broken.sentence, `Before that: ${seen.toLowerCase()} verified.`];
  return { document: { ok: broken === null, ...verdict }, lines, failed: broken !== null };
}

/** @throws UsageFault */
function timeOption(call: Invocation, name: string): number | undefined {
  const text = textOption(call, name);
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new UsageFault(`--${name} takes a time such as 2025-11-01 or 2025-11-01T12:00:00Z, not ${text}.`);
  return time;
}

/** @throws UsageFault where the file cannot be read or has no head, because the caller relies on it */
async function headsGiven(call: Invocation): Promise<string[]> {
  const file = textOption(call, "heads");
  if (file === undefined) return [];
  const heads = headsIn(file === "-" ? await call.terminal.input() : read(file));
  if (heads.length === 0) throw new UsageFault(`There is no head in ${file}.`);
  return heads;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageFault(`--heads: ${asError(error).message}`);
  }
}

async function headsOnTopic(target: FleetTarget): Promise<string[]> {
  return withKafka(target, async (kafka) => {
    const heads: string[] = [];
    const ends = await kafka.endOffsets(auditTopic);
    const spans = new Map(
      [...ends].map(([partition, to]) => [partition, { from: to > mostHeads ? to - mostHeads : 0n, to }]),
    );
    await readSpans(kafka, {
      topic: auditTopic,
      spans,
      onRecord: ({ value }) => void heads.push(...headsIn(value?.toString("utf8") ?? "")),
    });
    return heads;
  });
}

/** Every compact JWS of the type of a head. */
function headsIn(text: string): string[] {
  return (text.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g) ?? []).filter((jws) =>
    Buffer.from(jws.split(".")[0]!, "base64url").toString("latin1").includes('"audit-head+jwt"'),
  );
}
