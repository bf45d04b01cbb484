// Decodes the answer to a fetch, protocol versions 4 to 17 (KIP-98 to KIP-951), and leaves the records of each
// partition undecoded: the drivers' own decoders unpack all of an answer at once and without a bound (record-batch.ts
// reads them).
export interface RawFetchAnswer {
  errorCode: number;
  /** 0 without a session. */
  sessionId: number;
  topics: { topic: string; partitions: RawFetchedPartition[] }[];
}

export interface RawFetchedPartition {
  partition: number;
  errorCode: number;
  highWatermark: bigint;
  lastStableOffset: bigint;
  aborted: { producerId: bigint; firstOffset: bigint }[];
  /** -1: the leader. */
  preferredReadReplica: number;
  records: Buffer;
}

export const firstVersion = 4;

const withLogStart = 5;
const withSessions = 7;
const withPreferredReplica = 11;
/** From here on lengths are compact and structures end with tagged fields (KIP-482). */
const flexible = 12;
/** From here on topics are named by id. */
const byTopicId = 13;

/** @param bytes after the header of the answer. @throws RangeError where they end too early */
export function readFetchAnswer(version: number, bytes: Buffer): RawFetchAnswer {
  const reader = new AnswerReader(bytes, version >= flexible);
  reader.int32(); // throttle time; brokers throttle by themselves
  const hasSessions = version >= withSessions;
  const errorCode = hasSessions ? reader.int16() : 0;
  const sessionId = hasSessions ? reader.int32() : 0;
  const topics = reader.list(() => {
    const topic = version >= byTopicId ? reader.uuid() : reader.text();
    const partitions = reader.list(() => readPartition(version, reader));
    reader.tags();
    return { topic, partitions };
  });
  return { errorCode, sessionId, topics };
}

function readPartition(version: number, reader: AnswerReader): RawFetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  if (version >= withLogStart) reader.int64();
  const aborted = reader.list(() => {
    const one = { producerId: reader.int64(), firstOffset: reader.int64() };
    reader.tags();
    return one;
  });
  const preferredReadReplica = version >= withPreferredReplica ? reader.int32() : -1;
  const records = reader.block();
  reader.tags();
  return { partition, errorCode, highWatermark, lastStableOffset, aborted, preferredReadReplica, records };
}

class AnswerReader {
  readonly #bytes: Buffer;
  readonly #isFlexible: boolean;
  #at = 0;

  constructor(bytes: Buffer, isFlexible: boolean) {
    this.#bytes = bytes;
    this.#isFlexible = isFlexible;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  int64(): bigint {
    this.#at += 8;
    return this.#bytes.readBigInt64BE(this.#at - 8);
  }

  text(): string {
    return this.#part(this.#isFlexible ? this.#varint() - 1 : this.int16()).toString();
  }

  uuid(): string {
    const hex = this.#part(16).toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** Empty where there is none. */
  block(): Buffer {
    return this.#part(Math.max(0, this.#isFlexible ? this.#varint() - 1 : this.int32()));
  }

  list<T>(one: () => T): T[] {
    const length = this.#isFlexible ? this.#varint() - 1 : this.int32();
    const all: T[] = [];
    for (let read = 0; read < length; read += 1) all.push(one());
    return all;
  }

  /** Skipped. */
  tags(): void {
    if (!this.#isFlexible) return;
    for (let left = this.#varint(); left > 0; left -= 1) {
      this.#varint();
      this.#part(this.#varint());
    }
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at);
      this.#at += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  #part(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError("the answer to a fetch is cut off");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
