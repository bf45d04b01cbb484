// What could not be processed goes to a topic of its own as it came: key, value (still sealed), headers, and why and
// from where. The partition it came from moves on. Headers that begin with the prefix are ours: what a record brings of
// them is left out, so that nobody can write a dead letter's history for us. One is kept, because it is the record's
// identity: replayedFrom.
//
// A replayed record is its original again, in another place: it carries the original's partition, offset and broker
// time, and whoever knows a record by these (headers.ts, recordKey) takes them from there. So a record that has no key
// of its own, and a legacy record, take effect once, however often they are replayed.
import type { InRecord, OutRecord, UnreadableRecords } from "../kafka/records.ts";
import type { DeadLetterNames } from "./names.ts";

/** Largest record of a request topic, bytes; the dead-letter topic takes twice as much. */
export const maxRequestBytes = 1_048_588;
export const maxDeadLetterBytes = 2 * maxRequestBytes;

/** Room for our own headers and the record's overhead. */
const reserveBytes = 16_384;
/** No record of ours has more; what a stranger's has beyond is not worth 30 days. */
const maxKeyBytes = 65_536;
const maxHeaderBytes = 65_536;
const overheadOfHeader = 16;

/** The record as it came, as far as it fits, and why and from where. */
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

/** For records that were passed over unread: where they are, as long as their topic keeps them. */
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

/** Headers in their order, as far as they fit. */
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

/** What the record brought itself. */
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

/** A record by its place and time: the same however often it is delivered, another after its topic was made anew. */
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
 * The record itself, or the one that it is a replay of. One that was to come later than the record is not believed:
 * nobody can take the identity of a record that is still to be written.
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
