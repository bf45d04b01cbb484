// authctl import: users of another service, from its table in PostgreSQL or from JSON lines, into the database itself.
// However a run ends, imported users stay and the next run continues after them. docs/operations.md describes a whole
// move.
import { type AuditedActionName, auditActions, importedEntry } from "../../audit/actions.ts";
import { loginHash } from "../../command/keyed-hash.ts";
import type { MasterKey } from "../../config/kinds.ts";
import { isPlainDatabase } from "../../config/plaintext.ts";
import { type Config, ConfigFault } from "../../config/read.ts";
import { loadDataKeys } from "../../crypto/envelope.ts";
import {
  beginImport,
  type Counts,
  endImport,
  holdImport,
  importState,
  noCounts,
  passIds,
  rehearse,
  roleNames,
} from "../../db/imports.ts";
import { dataKeyRows } from "../../db/keys.ts";
import type { CommonQueryMethods } from "../../db/pool.ts";
import { systemClock } from "../../lib/clock.ts";
import { refuse } from "../../protocol/errors.ts";
import { type CommandResult, flagOption, type Invocation, pairsOption, textOption } from "../command.ts";
import { holdsMasterKey, withDatabaseAtLength } from "../connect/database.ts";
import { operatorName } from "../connect/operator.ts";
import { findTarget } from "../connect/target.ts";
import { Unreachable, UsageFault } from "../faults.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { mappable } from "./fields.ts";
import { openLines } from "./lines.ts";
import { openRejects, type RejectsFile } from "./rejects.ts";
import { importResult, makeProgress } from "./report.ts";
import { type ImportRun, type Reached, runImport } from "./run.ts";
import type { Source } from "./source.ts";
import { oldDatabase, withTable } from "./table.ts";

export async function importUsers(call: Invocation): Promise<CommandResult> {
  const choice = readChoice(call);
  const withSource = chooseSource(call, choice);
  const target = findTarget(call.env);
  const { AUTH_MASTER_KEY: master = [] } = target.config;
  if (!choice.dryRun && !holdsMasterKey(target.config)) throw new ConfigFault([needsKeys]);
  const within = (source: Source) =>
    withDatabaseAtLength(target, "to import users", (pool) =>
      pool.connect((db) => importFrom(call, { ...choice, source, db, master })),
    );
  return withSource(within).catch((error: unknown) => {
    if (!(error instanceof Unreachable)) throw error;
    throw new Unreachable(`${error.message} What was imported stays: the same command goes on where it ended.`);
  });
}

const needsKeys =
  "AUTH_DATABASE_URL and AUTH_MASTER_KEY (or AUTH_MASTER_KEY_FILE) are needed to import users: the audit says who did; a dry run needs no master key";

interface Choice {
  dryRun: boolean;
  again: boolean;
  rejectsPath: string;
  actor: string;
  columns: Map<string, string>;
  roles: Map<string, string | null>;
}

function readChoice(call: Invocation): Choice {
  const dryRun = flagOption(call, "dry-run");
  const columns = new Map(pairsOption(call, "column"));
  const strange = [...columns.keys()].find((ours) => !mappable.includes(ours));
  if (strange !== undefined) throw new UsageFault(`--column: ours is ${mappable.join(", ")}, not ${strange}.`);
  if (call.words.length > 0 && (columns.size > 0 || textOption(call, "table") !== undefined))
    throw new UsageFault("--table and --column are for the old service's table, not for a file.");
  const roles = pairsOption(call, "role").map(([theirs, ours]) => [theirs.toLowerCase(), ours || null] as const);
  return {
    dryRun,
    again: flagOption(call, "again"),
    rejectsPath: textOption(call, "rejects") ?? `import-rejects${dryRun ? ".dry-run" : ""}.jsonl`,
    actor: `operator:${operatorName(call)}`,
    columns,
    roles: new Map([["user", null], ["admin", "admin"], ...roles]),
  };
}

/** @throws UsageFault where it is not said which */
function chooseSource(
  call: Invocation,
  { columns }: Choice,
): (use: (source: Source) => Promise<CommandResult>) => Promise<CommandResult> {
  const [file] = call.words;
  if (file !== undefined) return async (use) => use(await openLines(file));
  const url = oldDatabase(call.env);
  checkOldDatabase(url, findTarget(call.env).config);
  return (use) => withTable(url, { table: textOption(call, "table") ?? "auth", columns }, use);
}

/** @throws ConfigFault where its rows, with hashes, would travel in clear and nothing permits it */
function checkOldDatabase(url: URL, { AUTH_DATABASE_PLAINTEXT: allowed }: Config): void {
  if (allowed || !isPlainDatabase(url.href)) return;
  throw new ConfigFault([
    `The old service's database ${url.host} is spoken to in the open: set DATABASE_URL with sslmode=require, or AUTH_DATABASE_PLAINTEXT=true where the network between is trusted`,
  ]);
}

interface Given extends Choice {
  source: Source;
  db: CommonQueryMethods;
  master: MasterKey[];
}

async function importFrom(call: Invocation, given: Given): Promise<CommandResult> {
  const { db, source, dryRun } = given;
  if (!(await holdImport(db, source.name)))
    throw refuse("OVERLOADED", { message: `Another run imports ${source.name} just now.` });
  const start = await startingPoint(given);
  const rejects = await openRejects(given.rejectsPath, start.rejectsBytes);
  if (dryRun) await rehearse(db);
  else await passIds(db, source.largestId);
  try {
    return await carryOut(call, { ...given, ...start, rejects });
  } finally {
    await rejects.close();
  }
}

type StartingPoint = Awaited<ReturnType<typeof startingPoint>>;

/** Where this run begins. */
async function startingPoint({ db, source, dryRun, again, actor }: Given) {
  const { name, fingerprint, start, resumable } = source;
  const found = await importState(db, name);
  const known = found !== null && found.fingerprint === fingerprint && resumable ? found : null;
  if (known === null) {
    if (!dryRun) await beginImport(db, { source: name, fingerprint, actor, position: start.position });
    return { from: start, counts: noCounts(), rejectsBytes: 0, before: undefined };
  }
  const before = { upTo: known.position, counts: known.counts };
  if (again) return { from: start, counts: noCounts(), rejectsBytes: 0, before };
  const from = { position: known.position, nextByte: known.nextByte };
  return { from, counts: known.counts, rejectsBytes: dryRun ? 0 : known.rejectsBytes, before: undefined };
}

type Run = Given & StartingPoint & { rejects: RejectsFile };

/** A run that is killed leaves no ImportEnded; the next ImportStarted says from which row it continues. */
async function carryOut(call: Invocation, parts: Run): Promise<CommandResult> {
  const { db, source, from, counts, rejects, before, dryRun } = parts;
  const clock = systemClock;
  const roles = { known: new Set(await roleNames(db)), names: parts.roles };
  const progress = makeProgress({ terminal: call.terminal, clock, counts, extent: await source.extent(from), from });
  const stop = listenForStop(call.terminal);
  const began = clock.monotonic();
  const reached: Reached = { rows: 0, largestId: source.largestId, ended: false };
  await audited(parts, "ImportStarted", {
    after: from.position === source.start.position ? null : from.position,
    again: parts.again,
  });
  try {
    await runImport({
      ...{ db, source, from, roles, rejects, dryRun, counts, clock, reached },
      again: before,
      ...(await keyed(parts)),
      events: flagOption(call, "events") ? parts.actor : undefined,
      stopping: stop.signal,
      moved: (place) => progress.moved(reached.rows, place),
    });
    await ended(parts, reached);
  } catch (error) {
    // Where the database is down, nothing can be stored, and the operator must see the first fault.
    await ended(parts, reached).catch(() => undefined);
    throw error;
  } finally {
    stop.forget();
    progress.end();
  }
  const seconds = (clock.monotonic() - began) / 1000;
  return importResult({ ...reached, source: source.name, dryRun, counts, seconds, rejects: rejects.path });
}

/** What needs the data keys. A dry run without the master key looks nothing up by them and audits nothing. */
async function keyed({ db, master, actor }: Run): Promise<Pick<ImportRun, "loginHash" | "audited">> {
  if (master.length === 0) return { loginHash: undefined, audited: () => Buffer.alloc(0) };
  const keys = loadDataKeys(master, await dataKeyRows(db));
  return {
    loginHash: (loginKey) => loginHash(keys, loginKey),
    audited: (user) => importedEntry(keys, user, { clock: systemClock, actor }),
  };
}

/** Stores how the run ended: at the end of its source, or before, so that the next run continues. */
async function ended(parts: Run, { rows, ended: toItsEnd }: Reached): Promise<void> {
  const { db, source, counts, before, dryRun } = parts;
  if (dryRun) return;
  const total = altogether(counts, before?.counts);
  const { imported, present, gone } = total;
  const rejected = Object.values(total.rejected).reduce((sum, count) => sum + count, 0);
  await db.transaction(async (transaction) => {
    if (toItsEnd) await endImport(transaction, source.name, total);
    const details = { rows, imported, present, gone, rejected, complete: toItsEnd };
    await audited({ ...parts, db: transaction }, "ImportEnded", details);
  });
}

async function audited(
  { db, master, actor, source, dryRun }: Run,
  action: AuditedActionName,
  said: object,
): Promise<void> {
  if (dryRun) return;
  const kind = source.name.startsWith("file:") ? "lines" : "table";
  const details = { kind, source: source.name, ...said };
  await auditActions(db, { clock: systemClock, actor, master }, [{ action, details }]);
}

/** A row that was rejected before and is imported now counts as imported. */
function altogether(now: Counts, before: Counts | undefined): Counts {
  if (before === undefined) return now;
  const algorithms = { ...before.algorithms };
  for (const [name, count] of Object.entries(now.algorithms)) algorithms[name] = (algorithms[name] ?? 0) + count;
  return { ...now, imported: before.imported + now.imported, present: before.present, algorithms };
}

/** One keystroke may come twice: from the terminal, and from the parent process (bin/bootstrap.js). */
const sameKeystrokeMs = 1000;

/** The first signal stops the run after the batch, a later one ends it at once, which loses nothing either. */
function listenForStop({ err }: Terminal): { signal: AbortSignal; forget(): void } {
  const stop = new AbortController();
  let first: number | undefined;
  const listen = (): void => {
    const now = systemClock.monotonic();
    if (first === undefined)
      err("Stopping after this batch. Press Ctrl-C again to end at once: that loses nothing either.");
    first ??= now;
    stop.abort();
    if (now - first > sameKeystrokeMs) process.exit(130);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, listen);
  return {
    signal: stop.signal,
    forget() {
      for (const signal of signals) process.removeListener(signal, listen);
    },
  };
}
