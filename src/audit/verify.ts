// Verifies the audit's chain: every row, every head, and that the chain reaches as far as it once did. It reports the
// first fault and where it is; nothing is proven about what follows a fault.
//
//   a row was changed, or inserted       it does not follow from the row before it
//   a row is missing, or was moved       its number is missing or duplicated; where numbers were changed too, the above
//   rows at the end are missing          the encrypted end (audit_state), or a head, reaches further
//   a head was changed, or replaced      its signature is invalid, or it names another row
//   heads are missing                    more rows were chained than ever go without a head
//   the oldest rows are missing          no head covers them, or they were dropped before AUTH_AUDIT_RETENTION
//
// With access to the database alone, all of this is detected, except a database restored as a whole from an older copy.
// Heads stored elsewhere (topic auth.audit, logs) reveal that: pass them as `heads`. With the master key as well,
// everything in the database can be forged, but not those heads.
import {
  type ChainEnd,
  decryptEnd,
  decryptHeadKey,
  type Head,
  type HeadKey,
  link,
  noChain,
  readHead,
} from "../crypto/audit.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import {
  auditExtent,
  headBefore,
  headKeys,
  headsBetween,
  type ReadRow,
  rowsBehind,
  type StoredHead,
} from "../db/audit-reading.ts";
import type { DatabasePool } from "../db/pool.ts";

export interface Verifying {
  pool: DatabasePool;
  dataKeys: DataKeys;
  /**
   * Unix ms. `from`: start at the last head before it. `to`: the last row to verify; how far the chain reaches is then
   * not checked.
   */
  from?: number;
  to?: number;
  /** Heads stored elsewhere (JWS). */
  heads: readonly string[];
  /** Called with each row that follows from the one before it. */
  seen?(row: ReadRow): void;
  retentionMs: number;
  headEveryMs: number;
  now: number;
}

export interface Verdict {
  rows: number;
  /** Row numbers; null where there is no row. */
  first: number | null;
  last: number | null;
  /** Heads with a valid signature that name the right row, and the number that the last of them covers. */
  heads: number;
  covered: number;
  /** Heads stored elsewhere that match. */
  kept: number;
  /** Rows that wait to be chained. */
  waiting: number;
  broken: Broken | null;
}

interface Broken {
  /** The row's number, if the fault is in a row. */
  number: number | null;
  what: "row" | "missing" | "inserted" | "end" | "head" | "start";
  sentence: string;
}

const page = 1000;
/** Year 2255, µs. */
const endOfTime = 9e15;
/** Heads are due by the relay's configuration, which may have changed: tolerate this factor. */
const patience = 10;

class Found extends Error {
  readonly broken: Broken;
  constructor(what: Broken["what"], number: number | null, sentence: string) {
    super(sentence);
    this.broken = { what, number, sentence };
  }
}

/** Streams the rows: memory does not grow with the chain. */
export async function verifyAudit(verifying: Verifying): Promise<Verdict> {
  const { pool } = verifying;
  const verdict: Verdict = {
    rows: 0,
    first: null,
    last: null,
    heads: 0,
    covered: 0,
    kept: 0,
    waiting: 0,
    broken: null,
  };
  try {
    verdict.waiting = (await auditExtent(pool)).waiting;
    await walk(verifying, verdict);
  } catch (error) {
    if (!(error instanceof Found)) throw error;
    verdict.broken = error.broken;
  }
  return verdict;
}

/** The state of the walk: the last verified row and the last head. */
interface ChainPosition {
  end: ChainEnd;
  headAt: number;
  /** Chain values of heads stored elsewhere, by row number. */
  kept: Map<number, string>;
  keyOf(kid: string): HeadKey | undefined;
}

async function walk(verifying: Verifying, verdict: Verdict): Promise<void> {
  const { pool, to } = verifying;
  const keyOf = await keysOfHeads(verifying);
  const standing: ChainPosition = { end: noChain, headAt: 0, kept: keptHeads(verifying, keyOf), keyOf };
  const start = await startOf(verifying, keyOf);
  if (start !== undefined) beginAt(start, standing, verdict);
  for (;;) {
    const rows = await rowsBehind(pool, { number: standing.end.number, chainedAt: standing.end.at }, page);
    const counted = to === undefined ? rows : rows.filter(({ chainedAt }) => chainedAt <= to * 1000);
    if (verdict.rows === 0 && counted[0] !== undefined)
      beginAt(await checkStart(verifying, standing, counted[0]), standing, verdict);
    const heads = await headsOver(pool, counted);
    for (const row of counted) {
      verifyRow(row, { standing, verdict, head: heads.get(row.number) });
      verifying.seen?.(row);
    }
    if (counted.length < page) break;
  }
  if (to === undefined) await verifyEnd(verifying, standing, verdict);
}

async function keysOfHeads({ pool, dataKeys }: Verifying): Promise<ChainPosition["keyOf"]> {
  const keys = new Map<string, HeadKey>();
  for (const { kid, encrypted } of await headKeys(pool)) {
    try {
      keys.set(kid, decryptHeadKey(dataKeys, kid, encrypted));
    } catch {
      throw new Found("head", null, `The key ${kid} in audit_keys was not put there by this fleet.`);
    }
  }
  return (kid) => keys.get(kid);
}

function keptHeads({ heads }: Verifying, keyOf: ChainPosition["keyOf"]): ChainPosition["kept"] {
  return new Map(
    heads.map((jws) => {
      const head = readHead(jws, keyOf);
      if (head === undefined)
        throw new Found("head", null, `A head that was given is not signed by this fleet: ${jws}`);
      return [head.count, head.chain];
    }),
  );
}

/** The head at which --from starts: its chain value covers everything before. */
async function startOf({ pool, from }: Verifying, keyOf: ChainPosition["keyOf"]): Promise<Head | undefined> {
  const stored = from === undefined ? null : await headBefore(pool, from);
  return stored === null ? undefined : headOf(stored, keyOf);
}

function beginAt(head: Head | undefined, standing: ChainPosition, verdict: Verdict): void {
  if (head === undefined) return;
  standing.end = endAt(head);
  standing.headAt = head.at;
  verdict.covered = head.count;
}

/** The following rows are those with a higher number, whenever they were chained. */
function endAt({ count, chain, partition }: Head): ChainEnd {
  return { number: count, chain: Buffer.from(chain, "base64url"), at: endOfTime, partition };
}

/** @throws Found */
function headOf({ number, partition, jws }: StoredHead, keyOf: ChainPosition["keyOf"]): Head {
  const head = readHead(jws, keyOf);
  if (head === undefined) throw new Found("head", number, `The signature of the head at row ${number} does not hold.`);
  if (head.count === number && head.partition === partition) return head;
  throw new Found("head", number, `At row ${number} stands the head of row ${head.count} (${head.partition}).`);
}

/** The first row must be number 1, or follow a partition that was dropped in time. */
async function checkStart(verifying: Verifying, standing: ChainPosition, row: ReadRow): Promise<Head | undefined> {
  const { pool, retentionMs, now } = verifying;
  const last = row.number - 1;
  if (last <= 0 || standing.end.number > 0) return undefined; // after a head, the row's number says what is missing
  const gone = `${rowsFrom(1, last)} missing before row ${row.number}`;
  const [stored] = await headsBetween(pool, last, last);
  if (stored === undefined) throw new Found("start", row.number, `${gone}, and no head stands at their end.`);
  const head = headOf(stored, standing.keyOf);
  if (head.partition === row.partition)
    throw new Found("start", row.number, `${gone}, though the rest of ${head.partition} is there.`);
  if (now - overAt(head) < retentionMs)
    throw new Found("start", row.number, `${gone}, though AUTH_AUDIT_RETENTION would keep them for longer.`);
  return head;
}

/** When the month of the head's partition ended, Unix ms: its last head may have been signed long after. */
function overAt({ partition }: Head): number {
  const [, year, month] = /^audit_(\d{4})(\d{2})$/.exec(partition) ?? [];
  return Date.UTC(Number(year), Number(month)); // months count from 0: the next one's first day
}

async function headsOver(pool: DatabasePool, rows: readonly ReadRow[]): Promise<Map<number, StoredHead>> {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return new Map();
  const heads = await headsBetween(pool, first.number, last.number);
  return new Map(heads.map((head) => [head.number, head]));
}

function verifyRow(
  row: ReadRow,
  { standing, verdict, head: stored }: { standing: ChainPosition; verdict: Verdict; head: StoredHead | undefined },
): void {
  const { end, kept, keyOf } = standing;
  const { number, chain, chainedAt, partition } = row;
  const missing = number - end.number - 1;
  if (missing < 0) throw new Found("inserted", number, `Row ${named(row)} stands twice: one of the two was put in.`);
  if (missing > 0) throw new Found("missing", end.number + 1, `${rowsFrom(end.number + 1, number - 1)} missing.`);
  if (!link(end.chain, row).equals(chain))
    throw new Found(
      "row",
      number,
      `Row ${named(row)} does not follow from row ${end.number}: it was changed, moved or put in.`,
    );
  standing.end = { number, chain, at: chainedAt, partition };
  verdict.rows += 1;
  verdict.first ??= number;
  verdict.last = number;
  checkKept(kept, standing.end, verdict);
  if (stored === undefined) return;
  const head = headOf(stored, keyOf);
  if (head.partition !== partition || head.chain !== chain.toString("base64url"))
    throw new Found(
      "head",
      number,
      `${rewritten(verdict.covered + 1, number)}: the head signed at ${iso(head.at)} says otherwise.`,
    );
  standing.headAt = head.at;
  verdict.heads += 1;
  verdict.covered = number;
}

function checkKept(kept: ChainPosition["kept"], { number, chain }: ChainEnd, verdict: Verdict): void {
  const wanted = kept.get(number);
  if (wanted === undefined) return;
  if (wanted !== chain.toString("base64url"))
    throw new Found("head", number, `${rewritten(1, number)}: a head that was kept elsewhere says otherwise.`);
  verdict.kept += 1;
}

/** Read after the rows, so it can only reach further than they did. */
async function verifyEnd(verifying: Verifying, standing: ChainPosition, verdict: Verdict): Promise<void> {
  const { pool, dataKeys, headEveryMs } = verifying;
  const { end, headAt, kept } = standing;
  const { end: encrypted, lastHead, lastRow } = await auditExtent(pool);
  const said = encrypted === null ? noChain : storedEnd(dataKeys, encrypted);
  const reach = Math.max(said.number, lastHead ?? 0, ...kept.keys());
  const { number } = end;
  if (lastRow === null && (await allDropped(verifying, standing, reach))) return;
  if (reach > Math.max(lastRow ?? 0, number))
    throw new Found(
      "end",
      number + 1,
      `${rowsFrom(number + 1, reach)} missing: the chain once reached to row ${reach}.`,
    );
  if ((lastRow ?? 0) > said.number)
    throw new Found(
      "inserted",
      said.number + 1,
      `Row ${said.number + 1} stands behind the chain's end: it was put in.`,
    );
  if (said.number === number && !said.chain.equals(end.chain))
    throw new Found(
      "end",
      number,
      `${rewritten(verdict.covered + 1, number)}: the chain's encrypted end says otherwise.`,
    );
  if (verdict.rows > 0 && number > verdict.covered && end.at / 1000 - headAt > patience * headEveryMs)
    throw new Found(
      "head",
      number,
      `No head was signed for the rows behind row ${verdict.covered}: heads are missing.`,
    );
}

/** A fleet that was idle longer than its audit is kept has no row, only a head at the end of the dropped ones. */
async function allDropped(
  { pool, retentionMs, now }: Verifying,
  { keyOf }: ChainPosition,
  reach: number,
): Promise<boolean> {
  const [stored] = reach === 0 ? [] : await headsBetween(pool, reach, reach);
  return stored !== undefined && now - overAt(headOf(stored, keyOf)) >= retentionMs;
}

function storedEnd(dataKeys: DataKeys, encrypted: Buffer): ChainEnd {
  try {
    return decryptEnd(dataKeys, encrypted);
  } catch {
    throw new Found("end", null, "The chain's end (audit_state) was not put there by this fleet.");
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
const named = ({ number, event, at }: ReadRow): string => `${number} (${event}, ${iso(at / 1000)})`;
const rowsFrom = (first: number, last: number): string =>
  first === last ? `Row ${first} is` : `Rows ${first} to ${last} are`;
const rewritten = (first: number, last: number): string =>
  first === last ? `Row ${first} was written anew` : `Rows ${first} to ${last}, or some of them, were written anew`;
