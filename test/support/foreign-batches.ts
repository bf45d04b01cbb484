// Record batches as a foreign producer may send them: compressed by any codec, huge once unpacked, or with lengths that
// lie. The bytes are made here, not by what reads them. kafkajs writes the batch's head and hands over whatever its
// codec gives as the records.
import zlib from "node:zlib";
import { compressionsAlgorithms } from "@platformatic/kafka";
import driver from "kafkajs";
import { openPatched } from "../../src/kafka/kafkajs/patches.ts";

export type Codec = "gzip" | "snappy" | "lz4" | "zstd";
export const everyCodec: Codec[] = ["gzip", "snappy", "lz4", "zstd"];
const ids: Record<Codec, number> = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 };

export interface ForeignRecord {
  key?: Buffer | null;
  value?: Buffer | null;
  headers?: [string | Buffer, Buffer | null][];
  /** What its bytes say instead of the truth. */
  lies?: { size?: number; valueLength?: number; headers?: number };
}

/** Zigzag, as in Kafka's records. */
function varint(number: number): Buffer {
  const bytes: number[] = [];
  let left = number >= 0 ? 2 * number : -2 * number - 1;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return Buffer.from([...bytes, left]);
}

const sized = (bytes: Buffer | null, says = bytes?.length ?? -1): Buffer =>
  Buffer.concat([varint(says), bytes ?? Buffer.alloc(0)]);

export function recordBytes({ key = null, value = null, headers = [], lies = {} }: ForeignRecord, at: number): Buffer {
  const body = Buffer.concat([
    Buffer.concat([Buffer.of(0), varint(0), varint(at)]),
    sized(key),
    sized(value, lies.valueLength),
    varint(lies.headers ?? headers.length),
    ...headers.flatMap(([name, bytes]) => [sized(Buffer.from(name)), sized(bytes)]),
  ]);
  return Buffer.concat([varint(lies.size ?? body.length), body]);
}

export const recordsBytes = (records: ForeignRecord[]): Buffer => Buffer.concat(records.map(recordBytes));

export function packed(codec: Codec, bytes: Buffer): Buffer {
  return Buffer.from(compressionsAlgorithms[codec].compressSync(bytes));
}

/**
 * One record whose value is so many zero bytes, packed as small as the codec allows; snappy makes no more than 21 bytes
 * of one.
 */
export function bomb(codec: Codec, zeros: number): Buffer {
  const head = Buffer.concat([Buffer.of(0), varint(0), varint(0), varint(-1), varint(zeros)]);
  const [before, behind] = [Buffer.concat([varint(head.length + zeros + 1), head]), varint(0)];
  switch (codec) {
    case "gzip":
      return zlib.gzipSync(Buffer.concat([before, Buffer.alloc(zeros), behind]));
    case "zstd":
      return zlib.zstdCompressSync(Buffer.concat([before, Buffer.alloc(zeros), behind]));
    case "snappy":
      return snappyBomb(before, zeros, behind);
    case "lz4":
      return lz4Bomb(before, zeros, behind);
  }
}

/** One bare block: a zero, then references to the byte before, 64 bytes each. */
function snappyBomb(before: Buffer, zeros: number, behind: Buffer): Buffer {
  const total: number[] = [];
  let left = before.length + zeros + behind.length;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) total.push((left % 0x80) | 0x80);
  const literal = (bytes: Buffer): Buffer => Buffer.concat([Buffer.of((bytes.length - 1) << 2), bytes]);
  const reference = (length: number): number[] => [((length - 1) << 2) | 2, 1, 0];
  const rest = (zeros - 1) % 64;
  return Buffer.concat([
    Buffer.from([...total, left]),
    literal(Buffer.concat([before, Buffer.of(0)])),
    Buffer.alloc(3 * Math.floor((zeros - 1) / 64), Buffer.from(reference(64))),
    Buffer.from(rest > 0 ? reference(rest) : []),
    literal(behind),
  ]);
}

const lz4BlockBytes = 4 * 1024 * 1024;

/** Blocks of at most 4 MiB, each a zero and one reference to it; the last bytes of a block must be literals. */
function lz4Bomb(before: Buffer, zeros: number, behind: Buffer): Buffer {
  const count = Math.ceil(zeros / (lz4BlockBytes - 100));
  const blocks = Array.from({ length: count }, (_, at) => {
    const own = Math.floor((zeros * (at + 1)) / count) - Math.floor((zeros * at) / count);
    const begin = Buffer.concat([at === 0 ? before : Buffer.alloc(0), Buffer.of(0)]);
    const end = Buffer.concat([Buffer.alloc(8), at === count - 1 ? behind : Buffer.alloc(0)]);
    const block = Buffer.concat([lz4Sequence(begin, own - 9), lz4Sequence(end, 0)]);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block.length);
    return Buffer.concat([size, block]);
  });
  const head = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]; // its flags, its block size, their checksum
  return Buffer.concat([Buffer.from(head), ...blocks, Buffer.alloc(4)]);
}

function lz4Sequence(literals: Buffer, referenced: number): Buffer {
  const more = (length: number): number[] =>
    length < 15 ? [] : [...Array(Math.floor((length - 15) / 255)).fill(255), (length - 15) % 255];
  const matched = Math.max(0, referenced - 4);
  const token = (Math.min(literals.length, 15) << 4) | Math.min(matched, 15);
  return Buffer.concat([
    Buffer.from([token, ...more(literals.length)]),
    literals,
    Buffer.from(referenced > 0 ? [1, 0, ...more(matched)] : []),
  ]);
}

export interface ForeignProducer {
  /**
   * @param topic as on the broker. @returns the offset of its first record. @throws Error where the broker does not
   * take it
   */
  send(topic: string, batch: { codec: Codec; count: number; bytes: Buffer; partition?: number }): Promise<bigint>;
  close(): Promise<void>;
}

let turn: Promise<unknown> = Promise.resolve();

/** Changes kafkajs's codecs for the time of a produce: what this process reads with, is not read by them. */
export async function foreignProducer(brokers: string[]): Promise<ForeignProducer> {
  const kafka = openPatched({ clientId: "foreign", brokers, logLevel: driver.logLevel.NOTHING });
  const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
  await producer.connect();
  const send: ForeignProducer["send"] = async (topic, { codec, count, bytes, partition = 0 }) => {
    const id = ids[codec];
    const before = driver.CompressionCodecs[id as keyof typeof driver.CompressionCodecs];
    const ours = { compress: () => Promise.resolve(bytes), decompress: (given: Buffer) => Promise.resolve(given) };
    driver.CompressionCodecs[id as 1] = () => ours;
    try {
      const messages = Array.from({ length: count }, () => ({ partition, value: "" }));
      const [answer] = await producer.send({ topic, compression: id, messages });
      return BigInt(answer!.baseOffset!);
    } finally {
      driver.CompressionCodecs[id as 1] = before;
    }
  };
  return {
    send(topic, batch) {
      const sent = turn.then(() => send(topic, batch));
      turn = sent.catch(() => undefined);
      return sent;
    },
    close: () => producer.disconnect(),
  };
}
