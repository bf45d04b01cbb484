// A record that could not be processed goes to the dead-letter topic unchanged: key, value (still sealed) and headers,
// with headers of ours that say why and where it came from. Its partition moves on. Headers with our prefix are removed
// from the record first, so that nobody can forge a dead letter's history, except replayedFrom, which is the record's
// identity.
//
// A replayed record stands for its original: its header has the original's partition, offset and broker time, and code
// that identifies records by these (headers.ts, recordKey) reads them there. So a record without a key of its own, and
// a legacy record, take effect once, however often they are replayed.
import type { InRecord, OutRecord, UnreadableRecords } from "../kafka/records.ts";
import type { DeadLetterNames } from "./names.ts";

/** The largest record of a request topic in bytes; the dead-letter topic accepts twice as much. */
export const maxRequestBytes = 1_048_588;
export const maxDeadLetterBytes = 2 * maxRequestBytes;

/** Room for our own headers and the record's overhead. */
const reserveBytes = 16_384;
/** Records of ours never have more; longer ones are cut, because they would be kept for 30 days. */
const maxKeyBytes = 65_536;
const maxHeaderBytes = 65_536;
const overheadOfHeader = 16;

/** The record unchanged, as far as it fits, with the reason and its origin. */
export function deadLetter(
  record: InRecord,
  { error, now, deadLetters }: { error: string; now: number; deadLetters: DeadLetterNames },
): OutRecord {
  const { topic, headers: names } = deadLetters;
  const replayedFrom = record.headers[names.replayedFrom];
  const key = record.key?.subarray(0, maxKeyBytes) ?? null;
  const foreign = fitting(foreignHeaders(record, deadLetters));
  const partsCut = [
    ...(key?.length === record.key?.length ? [] : ["key"]),
    ...(foreign.isWhole && !record.headersLeftOut ? [] : ["headers"]),
  ];
  const headers: OutRecord["headers"] = {
    ...foreign.headers,
    ...(isIdentity(replayedFrom) && { [names.replayedFrom]: replayedFrom }),
    ...placeHeaders(record, { error, now, names }),
    ...(partsCut.length > 0 && { [names.partsCut]: partsCut.join() }),
  };
  const room = maxDeadLetterBytes - reserveBytes - foreign.bytes - (key?.length ?? 0);
  if (record.value === null || record.value.length <= room) return { topic, key, value: record.value, headers };
  const value = record.value.subarray(0, room);
  return { topic, key, value, headers: { ...headers, [names.cut]: String(record.value.length) } };
}

/** For records that were skipped unread: it says where they are while their topic retains them. */
export function unreadableLetter(
  records: UnreadableRecords,
  { now, deadLetters: { topic, headers: names } }: { now: number; deadLetters: DeadLetterNames },
): OutRecord {
  const { first, last, message } = records;
  const error = `records that cannot be read: ${message}`;
  const headers = {
    ...placeHeaders({ ...records, offset: first }, { error, now, names }),
    [names.lastOffset]: String(last),
  };
  return { topic, key: null, value: null, headers };
}

function placeHeaders(
  place: Pick<InRecord, "topic" | "partition" | "offset" | "timestamp">,
  { error, now, names }: { error: string; now: number; names: DeadLetterNames["headers"] },
) {
  return {
    [names.topic]: place.topic,
    [names.partition]: String(place.partition),
    [names.offset]: String(place.offset),
    [names.timestamp]: String(place.timestamp),
    [names.error]: error.slice(0, 1000),
    [names.at]: new Date(now).toISOString(),
  };
}

/** The headers in order, as many as fit. */
function fitting(given: OutRecord["headers"]) {
  const headers: OutRecord["headers"] = {};
  let bytes = 0;
  let isWhole = true;
  for (const [name, value] of Object.entries(given)) {
    const size = [value]
      .flat()
      .reduce((sum, each) => sum + Buffer.byteLength(name) + each.length + overheadOfHeader, 0);
    if (bytes + size > maxHeaderBytes) isWhole = false;
    else {
      bytes += size;
      Object.defineProperty(headers, name, { value, enumerable: true }); // one may be called __proto__
    }
  }
  return { headers, bytes, isWhole };
}

/** The record's headers without ours. */
export function foreignHeaders(
  { headers }: Pick<InRecord, "headers">,
  { headerPrefix }: Pick<DeadLetterNames, "headerPrefix">,
): OutRecord["headers"] {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name.startsWith(headerPrefix) ? [] : [[name, value]],
    ),
  );
}

/** Identifies a record by position and time: equal for all deliveries, different after its topic was recreated. */
export interface RecordIdentity {
  partition: number;
  offset: bigint;
  /** Broker time, Unix ms. */
  timestamp: number;
}

/** The value of the header replayedFrom. */
export function identityText({ partition, offset, timestamp }: RecordIdentity): string {
  return `${partition}:${offset}:${timestamp}`;
}

/**
 * The record itself, or the original of a replay. An original that is not older than the record is ignored, so that
 * nobody can claim the identity of a record that is yet to be written.
 */
export function identityOf(
  record: RecordIdentity & Pick<InRecord, "headers">,
  { headers: { replayedFrom } }: DeadLetterNames,
): RecordIdentity {
  const given = record.headers[replayedFrom];
  const found = isIdentity(given) ? /^(\d{1,9}):(\d{1,18}):(\d{1,15})$/.exec(given.toString("latin1")) : null;
  if (!found || Number(found[3]) > record.timestamp) return record;
  return { partition: Number(found[1]), offset: BigInt(found[2]!), timestamp: Number(found[3]) };
}

const longestIdentity = 44;

function isIdentity(value: Buffer | Buffer[] | undefined): value is Buffer {
  return Buffer.isBuffer(value) && value.length <= longestIdentity;
}
