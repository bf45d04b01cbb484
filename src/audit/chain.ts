// The audit's chain. Commits leave encrypted rows (command/audit-rows.ts). Once a second, the relay that gets the lock
// numbers and chains the waiting rows, and from time to time signs the end of the chain (a head). Chaining inside
// requests was rejected: a chain has one end, and all commits of a fleet would wait for it.
//
// Rows are chained in the order in which they are found, so a row that commits late is in a later batch despite its
// early id. The rows of one user are still in commit order: a commit locks the user before its rows get their ids.
//
// The relay continues from the end that it encrypted itself (audit_state), never from the last row it finds. A row that
// somebody appended, even correctly chained, then shows up as a duplicate number and is not covered by the next head.
//
// The personal part of a row is encrypted again, with its user's key (user_keys). A user's first row creates the key,
// in the same transaction and only while the user exists; the key is deleted with the user (ON DELETE CASCADE). Rows
// chained after that lose their personal part, so a late row restores nothing about an erased user.

import { createHash } from "node:crypto";
import {
  type AuditEntry,
  type ChainEnd,
  type ChainRow,
  decryptEnd,
  decryptEntry,
  decryptUserKey,
  encryptEnd,
  encryptHeadKey,
  encryptPersonal,
  type Head,
  link,
  newUserKey,
  noChain,
  signHead,
} from "../crypto/audit.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import { uuidv7 } from "../crypto/ids.ts";
import type { Keyring } from "../crypto/keys.ts";
import {
  asTheOnlyChainer,
  type ChainedRow,
  type ChainStanding,
  chainStanding,
  insertChained,
  insertHead,
  insertUserKeys,
  lockUsers,
  saveEnd,
  takeWaiting,
  userKeys,
  type WaitingRow,
  waitingRows,
} from "../db/audit.ts";
import type { CommonQueryMethods, DatabasePool } from "../db/pool.ts";
import type { Clock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { pause } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";

export interface ChainDeps {
  pool: DatabasePool;
  dataKeys(): DataKeys;
  keyring(): Keyring;
  clock: Clock;
  /** The longest time until a head is signed, if there are new rows. */
  headEveryMs: number;
  log: Logger;
  /** Called per batch with the number of rows and the longest wait among them. */
  chained(rows: number, waitedMs: number): void;
}

const everyMs = 1000;
const batch = 500;

/** @returns a function that stops it and waits for the current batch */
export function startAuditChain(parts: ChainDeps): () => Promise<void> {
  const stopping = new AbortController();
  const working = (async () => {
    while (!stopping.signal.aborted) {
      try {
        if (await chainBatch(parts)) continue;
      } catch (error) {
        if (!stopping.signal.aborted)
          parts.log.warn({ err: asError(error) }, "the audit could not be chained, tried again");
      }
      await pause(everyMs, stopping.signal);
    }
  })();
  return async () => {
    stopping.abort();
    await working;
  };
}

/** Chains up to one batch, and signs a head if one is due. @returns whether more rows wait */
export async function chainBatch(parts: ChainDeps): Promise<boolean> {
  const signed: SignedHead[] = [];
  const rows = await asTheOnlyChainer(parts.pool, async (transaction) => {
    const keys = parts.dataKeys();
    const standing = await chainStanding(transaction);
    const before = endOf(keys, standing);
    const waiting = openable(parts, await waitingRows(transaction, batch));
    const sign = async (end: ChainEnd): Promise<void> =>
      void signed.push(await signEnd(parts, transaction, { end, at: standing.now / 1000 }));
    if (isClosing(before, standing) && waiting.length > 0) await sign(before);
    const after = waiting.length === 0 ? before : await chainAll(parts, transaction, { waiting, before, standing });
    if (isDue(parts, after, standing)) await sign(after);
    return waiting;
  });
  for (const head of signed) parts.log.info(head, "audit head signed");
  if (rows === undefined || rows.length === 0) return false;
  parts.chained(rows.length, parts.clock.now() - rows[0]!.entry.at);
  return rows.length === batch;
}

/** @throws Error where the stored end was removed or replaced: rows then wait and are not lost */
function endOf(keys: DataKeys, { end, headNumber }: ChainStanding): ChainEnd {
  if (end !== null) return decryptEnd(keys, end);
  if (headNumber !== null) throw new Error("the chain's end (audit_state) is gone, though heads are signed");
  return noChain;
}

type SignedHead = Head & { jws: string };

interface OpenedEntry {
  id: number;
  entry: AuditEntry;
}

/** A row not encrypted by this fleet is not trusted, and is chained as forged so that it does not vanish. */
function openable({ dataKeys, clock, log }: ChainDeps, rows: readonly WaitingRow[]): OpenedEntry[] {
  return rows.flatMap(({ id, encrypted }) => {
    const entry = decryptEntry(dataKeys(), encrypted);
    if (entry === "later") return []; // its data key was made a moment ago: the next round has it
    if (entry !== "forged") return [{ id, entry }];
    log.error({ id }, "a row that waits for the audit was not written by this fleet");
    return [{ id, entry: forgedEntry(encrypted, clock) }];
  });
}

function forgedEntry(encrypted: Buffer, clock: Clock): AuditEntry {
  const sha256 = createHash("sha256").update(encrypted).digest("hex");
  return {
    eventId: uuidv7(clock),
    at: clock.now(),
    event: "AuditRowForged",
    actor: "unknown",
    userId: null,
    outcome: "refused",
    traceparent: null,
    details: { sha256 },
    personal: null,
  };
}

interface ChainInput {
  waiting: OpenedEntry[];
  before: ChainEnd;
  standing: ChainStanding;
}

async function chainAll(
  { dataKeys }: ChainDeps,
  transaction: CommonQueryMethods,
  { waiting, before, standing }: ChainInput,
): Promise<ChainEnd> {
  const keys = dataKeys();
  const userKeys = await keysOfUsers(keys, transaction, waiting);
  const chainedAt = Math.max(standing.now, before.at); // a clock that was set back must not break the order
  const partition = chainedAt === standing.now ? standing.partition : before.partition;
  let { number, chain } = before;
  const rows = waiting.map(({ entry }): ChainedRow => {
    number += 1;
    const row = rowOf(keys, entry, { number, chainedAt, userKeys });
    chain = link(chain, row);
    return { ...row, chain };
  });
  const after = { number, chain, at: chainedAt, partition };
  await insertChained(transaction, rows);
  await takeWaiting(
    transaction,
    waiting.map(({ id }) => id),
  );
  await saveEnd(transaction, encryptEnd(keys, after));
  return after;
}

function rowOf(
  keys: DataKeys,
  entry: AuditEntry,
  { number, chainedAt, userKeys }: { number: number; chainedAt: number; userKeys: Map<number, Buffer> },
): ChainRow {
  const { eventId, at, event, actor, userId, outcome, traceparent, details, personal } = entry;
  const userKey = userId === null ? null : userKeys.get(userId);
  const encrypted = personal === null || userKey === undefined ? null : encryptPersonal(keys, userKey, entry);
  return {
    number,
    chainedAt,
    eventId,
    at: at * 1000,
    event,
    actor,
    userId,
    outcome,
    traceparent,
    details: JSON.stringify(details),
    personal: encrypted,
  };
}

/** The keys of the rows' users who still exist. */
async function keysOfUsers(
  keys: DataKeys,
  transaction: CommonQueryMethods,
  waiting: OpenedEntry[],
): Promise<Map<number, Buffer>> {
  const users = [...new Set(waiting.flatMap(({ entry }) => entry.userId ?? []))];
  const known = await userKeys(transaction, users);
  const found = new Map(known.map(({ userId, encrypted }) => [userId, decryptUserKey(keys, userId, encrypted)]));
  const missing = users.filter((user) => !found.has(user));
  if (missing.length === 0) return found;
  const made = (await lockUsers(transaction, missing)).map((userId) => ({ userId, ...newUserKey(keys, userId) }));
  if (made.length > 0) await insertUserKeys(transaction, made);
  for (const { userId, key } of made) found.set(userId, key);
  return found;
}

/**
 * Whether the next rows are of another month: the last row of a partition gets a head, from which the rest can be
 * verified once the partition is dropped.
 */
function isClosing(end: ChainEnd, { partition, headNumber }: ChainStanding): boolean {
  return end.number > (headNumber ?? 0) && end.partition !== partition;
}

function isDue({ headEveryMs }: ChainDeps, end: ChainEnd, { now, headNumber, headAt }: ChainStanding): boolean {
  return end.number > (headNumber ?? 0) && (headAt === null || now / 1000 - headAt >= headEveryMs);
}

async function signEnd(
  parts: ChainDeps,
  transaction: CommonQueryMethods,
  { end: { number, partition, chain }, at }: { end: ChainEnd; at: number },
): Promise<SignedHead> {
  const head: Head = { partition, count: number, chain: chain.toString("base64url"), at };
  const key = parts.keyring().signing();
  const jws = signHead(key, head);
  const encryptedKey = encryptHeadKey(parts.dataKeys(), key);
  const record = { number, partition, at, jws, kid: key.kid, encryptedKey, eventId: uuidv7(parts.clock) };
  await insertHead(transaction, { ...record, body: { ...head, kid: key.kid, jws } });
  return { ...head, jws };
}
