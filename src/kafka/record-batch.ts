// Reads record batches (Kafka protocol, message format v2) and their records, for every driver. Their bytes are
// untrusted: lengths and counts are never followed beyond the remaining bytes. A batch that violates the format, or
// unpacks to more than the bound, is dropped from that point on, and its last offset still says where to continue.
// Records are read in small lots with turns of the event loop in between, because a batch may have a hundred thousand.
// A process unpacks one compressed batch at a time, which bounds the unpacked bytes too. Each record is copied, so that
// one that waits does not keep its batch's megabytes.
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../lib/clock.ts";
import { giveBack, Unreadable, unpack } from "./compression.ts";
import type { InRecord, TopicPartition } from "./records.ts";

/** Default bound on a batch's records in bytes: 32 times what a broker accepts compressed by default. */
export const usualUnpackedBytes = 32 * 1024 * 1024;

/** A batch that is not unpacked yet. */
export interface RecordBatch {
  firstOffset: bigint;
  /** The batch's last offset; compaction may have removed its record. */
  lastOffset: bigint;
  attributes: number;
  firstTimestamp: bigint;
  maxTimestamp: bigint;
  producerId: bigint;
  count: number;
  /** The records, compressed. */
  body: Buffer;
  /** Why it cannot be read, where its header shows that. */
  fault: Unreadable | undefined;
  /** Not for consumers: a transaction marker, or part of an aborted transaction. */
  hidden: boolean;
}

export interface AbortedTransaction {
  producerId: bigint;
  firstOffset: bigint;
}

const codecBits = 7;
const isLogAppendTime = 1 << 3;
const isTransactional = 1 << 4;
const isControl = 1 << 5;
/** Offset and length, which the length does not include. */
const prefixBytes = 12;
const headBytes = 61;
const magicAt = 16;

export interface FetchedSpan {
  /** The offset that was asked for. */
  from: bigint;
  /** The partition's end. */
  end: bigint;
}

/** The batches of one partition in a fetch. A truncated last one is left out: the next fetch brings it whole. */
export function splitBatches(bytes: Buffer, span: FetchedSpan): RecordBatch[] {
  const batches: RecordBatch[] = [];
  for (let at = 0; at + prefixBytes <= bytes.length; ) {
    const length = bytes.readInt32BE(at + 8);
    const end = length < 0 ? bytes.length : at + prefixBytes + length;
    if (end > bytes.length) break;
    batches.push(batchOf(bytes.subarray(at, end), span));
    at = end;
  }
  return batches;
}

function batchOf(bytes: Buffer, { from, end }: FetchedSpan): RecordBatch {
  const firstOffset = bytes.readBigInt64BE(0);
  const broken = (fault: Unreadable): RecordBatch => {
    const offset = firstOffset > from ? firstOffset : from; // otherwise it would be fetched forever
    return { ...empty, firstOffset: offset, lastOffset: offset, fault };
  };
  if (bytes.length > magicAt && bytes[magicAt] !== 2) {
    // The first offset of a compressed set of old messages is that of its last message, so nothing is skipped twice.
    return broken(new Unreadable("old-format", `message format ${bytes[magicAt]}, from before Kafka 0.11`));
  }
  if (bytes.length < headBytes || bytes.readInt32BE(8) < 0)
    return broken(new Unreadable("broken", "a batch shorter than its head"));
  const delta = BigInt(Math.max(0, bytes.readInt32BE(23)));
  const last = firstOffset + delta;
  return {
    ...empty,
    firstOffset,
    // A reader that continued after the partition's end would have to find a new starting point.
    lastOffset: last < end || end <= firstOffset ? last : end - 1n,
    attributes: bytes.readInt16BE(21),
    firstTimestamp: bytes.readBigInt64BE(27),
    maxTimestamp: bytes.readBigInt64BE(35),
    producerId: bytes.readBigInt64BE(43),
    count: bytes.readInt32BE(57),
    body: bytes.subarray(headBytes),
  };
}

const empty = {
  attributes: 0,
  firstTimestamp: -1n,
  maxTimestamp: -1n,
  producerId: -1n,
  count: 0,
  body: Buffer.alloc(0),
  fault: undefined,
  hidden: false,
};

/**
 * Hides markers and aborted records: an aborted transaction begins where the broker says and ends with its producer's
 * next marker.
 */
export function hideAborted(batches: RecordBatch[], aborted: AbortedTransaction[]): void {
  const open = new Set<bigint>();
  const begins = [...aborted].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  for (const batch of batches) {
    while (begins.length > 0 && begins[0]!.firstOffset <= batch.lastOffset) open.add(begins.shift()!.producerId);
    const control = (batch.attributes & isControl) !== 0;
    if (control) open.delete(batch.producerId);
    batch.hidden = control || ((batch.attributes & isTransactional) !== 0 && open.has(batch.producerId));
  }
}

export interface BatchReading {
  partition: TopicPartition;
  /** Records below are skipped: a batch always comes whole. */
  from: bigint;
  maxBytes: number;
  /** Called with records in offset order, at least one. @returns whether to continue */
  take(records: InRecord[]): boolean;
}

/**
 * A partition that is paused within a batch reads the batch again from its beginning; with the four million records of
 * a decompression bomb, that would take an hour. A producer's megabyte has 15,000.
 */
const mostRecords = 2 ** 17;
const lotRecords = 500;
const lotBytes = 512 * 1024;
/** How long the event loop is held at a time, ms. */
const lotMs = 4;

/**
 * Hands over the records of a batch, lot by lot.
 * @returns false where `take` wanted no more
 * @throws Unreadable where the batch is malformed; earlier records were handed over
 */
export async function readBatch(batch: RecordBatch, reading: BatchReading): Promise<boolean> {
  if (batch.fault !== undefined) throw batch.fault;
  const codec = batch.attributes & codecBits;
  if (codec === 0) return readRecords(batch, batch.body, reading);
  const release = await unpackingTurn();
  try {
    const bytes = await unpack(codec, batch.body, reading.maxBytes);
    try {
      return await readRecords(batch, bytes, reading);
    } finally {
      giveBack(bytes);
    }
  } finally {
    release();
  }
}

let unpacking = Promise.resolve();

async function unpackingTurn(): Promise<() => void> {
  const before = unpacking;
  const { promise, resolve } = Promise.withResolvers<void>();
  unpacking = promise;
  await before;
  return resolve;
}

async function readRecords(batch: RecordBatch, bytes: Buffer, reading: BatchReading): Promise<boolean> {
  const records = recordsOf(batch, bytes, reading);
  for (;;) {
    const { lot, end, fault } = nextLot(records);
    if (lot.length > 0 && !reading.take(lot)) return false;
    if (fault !== undefined) throw fault;
    if (end) return true;
    await nextTurn();
  }
}

interface Lot {
  lot: InRecord[];
  end: boolean;
  fault: unknown;
}

function nextLot(records: Iterator<InRecord | undefined>): Lot {
  const lot: InRecord[] = [];
  const until = systemClock.monotonic() + lotMs;
  try {
    for (let bytes = 0; lot.length < lotRecords && bytes < lotBytes && systemClock.monotonic() < until; ) {
      const { done, value } = records.next();
      if (done) return { lot, end: true, fault: undefined };
      if (value === undefined) continue;
      lot.push(value);
      bytes += value.bytes ?? 0;
    }
  } catch (fault) {
    return { lot, end: false, fault };
  }
  return { lot, end: false, fault: undefined };
}

/** undefined: a record that is skipped. */
function* recordsOf(
  batch: RecordBatch,
  bytes: Buffer,
  { partition, from }: BatchReading,
): Generator<InRecord | undefined> {
  const reader = new ByteReader(bytes);
  let before = -1;
  for (let read = 0; read < batch.count; read += 1) {
    if (read === mostRecords) throw new Unreadable("too-large", `more than ${mostRecords} records`);
    const body = Buffer.from(reader.part(reader.varint(), "a record"));
    const { offsetDelta, ...record } = recordOf(batch, new ByteReader(body), body.length);
    const offset = batch.firstOffset + BigInt(offsetDelta);
    if (offsetDelta <= before || offset > batch.lastOffset) throw broken("an offset that is out of order");
    before = offsetDelta;
    yield offset < from ? undefined : { ...partition, offset, ...record };
  }
  if (reader.left > 0 || batch.count < 0) throw broken("another number of records than it says");
}

/** Further headers are dropped: no client sends so many, and each costs memory. */
const mostHeaders = 200;
const leastHeaderBytes = 2;
/** As many as a record of 1 MiB can have; reading more would hold the event loop. */
const mostCounted = 2 ** 19;

function recordOf(batch: RecordBatch, reader: ByteReader, size: number) {
  reader.skip(1); // attributes, always unused
  const timestampDelta = reader.varlong();
  const offsetDelta = reader.varint();
  const [key, value] = [reader.nullable("a key"), reader.nullable("a value")];
  const count = reader.varint();
  if (count < 0 || count > mostCounted || count * leastHeaderBytes > reader.left)
    throw broken("more headers than there are bytes");
  const headers: InRecord["headers"] = {};
  for (let read = 0; read < count; read += 1) {
    const name = reader.part(reader.varint(), "the name of a header");
    const given = reader.nullable("a header");
    if (read < mostHeaders && given !== null) addHeader(headers, name.toString(), given);
  }
  if (reader.left > 0) throw broken("bytes behind a record");
  const byBroker = (batch.attributes & isLogAppendTime) !== 0;
  const timestamp = byBroker ? Number(batch.maxTimestamp) : Number(batch.firstTimestamp) + timestampDelta;
  return {
    offsetDelta,
    timestamp,
    ...(!byBroker && { producersTime: true as const }),
    key,
    value,
    headers,
    bytes: size,
    ...(count > mostHeaders && { headersLeftOut: true as const }),
  };
}

/** Defines an own property, whatever its name. A repeated header has its values in a list. */
function addHeader(headers: InRecord["headers"], name: string, value: Buffer): void {
  const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (Array.isArray(before)) before.push(value);
  else if (before !== undefined) headers[name] = [before, value];
  else if (name !== "__proto__") headers[name] = value;
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
}

function broken(what: string): Unreadable {
  return new Unreadable("broken", what);
}

/** Reads numbers and byte ranges, never beyond the end. */
class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(length: number): void {
    if (length > this.left) throw broken("it is cut off");
    this.#at += length;
  }

  /** @param what the thing that the length is of, for the message */
  part(length: number, what: string): Buffer {
    if (length < 0 || length > this.left) throw broken(`${what} of ${length} bytes where ${this.left} are left`);
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }

  nullable(what: string): Buffer | null {
    const length = this.varint();
    return length === -1 ? null : this.part(length, what);
  }

  /** Zigzag, 32 bits. */
  varint(): number {
    const value = this.varlong();
    if (value < -0x8000_0000 || value > 0x7fff_ffff) throw broken("a number beyond 32 bits");
    return value;
  }

  /** Zigzag, 64 bits; inexact above 2^53. */
  varlong(): number {
    let value = 0;
    for (let scale = 1, read = 0; ; scale *= 128, read += 1) {
      if (read === 10 || this.left === 0) throw broken("a number that does not end");
      const byte = this.#bytes[this.#at]!;
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }
}
