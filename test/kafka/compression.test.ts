// Compressed batches: as Kafka's own compressors write them (the broker packs what it is sent by the topic's
// compression.type), as other producers do, and as nobody should.
import { randomBytes } from "node:crypto";
import zlib from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import driver from "kafkajs";
import { Unreadable, unpack } from "../../src/kafka/compression.ts";
import { bomb, type Codec, everyCodec, packed } from "../support/foreign-batches.ts";
import { until } from "../support/until.ts";
import { driversOfRun, type RealKafka, realKafka, record, spec } from "./real-kafka.ts";

const ids = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 };
const bound = 2 * 1024 * 1024;
const values = [
  "",
  "x",
  "abc".repeat(40),
  "a".repeat(70_000),
  "a request like any other, ".repeat(20_000),
  JSON.stringify(Array.from({ length: 5000 }, (_, number) => ({ number, name: `user ${number * 7919}` }))),
  randomBytes(100_000).toString("base64"),
  randomBytes(20).toString("hex").repeat(3000),
];

const unpackedBy = (codec: Codec, bytes: Buffer, maxBytes = bound) => unpack(ids[codec], bytes, maxBytes);

describe.each(driversOfRun)("with %s", (driverName) => {
  let real: RealKafka;
  beforeAll(async () => {
    real = await realKafka("packed", driverName);
    await real.kafka.ensureTopics(
      everyCodec.map((name) => spec(name, 1, { "compression.type": name, "max.message.bytes": "4000000" })),
    );
  });
  afterAll(() => real.close());

  test("what a broker packs is read as it was sent, alone and together", async () => {
    const { consumption, ...reader } = real.reader(everyCodec);
    // Each has a key of its own: a produce that is tried again, because one of its new topics was not led yet, writes
    // the others twice.
    const keyed = (name: string, at: number) =>
      record(name, values[at % values.length]!, { key: Buffer.from(String(at)) });
    for (const at of values.keys()) await real.kafka.produce(everyCodec.map((name) => keyed(name, at)));
    const together = values.map((_, at) => values.length + at);
    await real.kafka.produce(everyCodec.flatMap((name) => together.map((at) => keyed(name, at))));
    const readOf = (name: string) =>
      new Map(
        reader.records.filter(({ topic }) => topic === name).map(({ key, value }) => [String(key), String(value)]),
      );
    const sent = new Map([...values, ...values].map((value, at) => [String(at), value]));
    await until("all were read", () => everyCodec.every((name) => readOf(name).size === sent.size));
    for (const name of everyCodec)
      expect([...readOf(name)].filter(([key, value]) => sent.get(key) !== value)).toEqual([]);
    await consumption.close();
  });

  test("the control: the broker has packed it", async () => {
    const seen = new Set<number>();
    const before = { ...driver.CompressionCodecs };
    const consumer = real.raw.consumer({ groupId: `${real.prefix}seen`, maxWaitTimeInMs: 50 });
    for (const codec of everyCodec) {
      const decompress = (bytes: Buffer): Promise<Buffer> => {
        seen.add(ids[codec]);
        return unpackedBy(codec, bytes);
      };
      driver.CompressionCodecs[ids[codec] as 1] = () => ({ compress: () => Promise.reject(new Error()), decompress });
    }
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: everyCodec.map((name) => real.prefix + name), fromBeginning: true });
      await consumer.run({ eachBatch: () => Promise.resolve() });
      await until("something of each", () => seen.size === everyCodec.length);
    } finally {
      Object.assign(driver.CompressionCodecs, before);
      await consumer.disconnect();
    }
  });
});

test("snappy in one bare block, as librdkafka writes it", async () => {
  // "abcd", then 8 bytes from 4 back: literal of 4, reference of 8 at distance 4.
  const block = Buffer.from([12, (4 - 1) << 2, ...Buffer.from("abcd"), ((8 - 4) << 2) | 1, 4]);
  expect(String(await unpackedBy("snappy", block))).toBe("abcdabcdabcd");
});

const xerial = Buffer.from("\u0082SNAPPY\0\0\0\0\u0001\0\0\0\u0001", "latin1");

const uint32 = (number: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes;
};

/** One literal, its length before it in two bytes each time. */
function snappyChunk(bytes: Buffer): Buffer {
  const { length } = bytes;
  const lengths = [(length & 0x7f) | 0x80, length >> 7, 61 << 2, (length - 1) & 0xff, (length - 1) >> 8];
  return Buffer.concat([uint32(lengths.length + length).swap32(), Buffer.from(lengths), bytes]);
}

const lz4Block = (bytes: Buffer): Buffer => Buffer.concat([uint32(0x8000_0000 + bytes.length), bytes]);

describe("several in a row are one", () => {
  const chunk = (text: string): Buffer => snappyChunk(Buffer.from(text));
  const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

  test.each<[string, Codec, Buffer]>([
    ["gzip's members", "gzip", Buffer.concat([zlib.gzipSync("one, "), zlib.gzipSync("two")])],
    ["chunks of Java's snappy", "snappy", Buffer.concat([xerial, chunk("one, "), chunk("two")])],
    ["streams of Java's snappy", "snappy", Buffer.concat([xerial, chunk("one, "), xerial, chunk("two")])],
    [
      "zstd's frames, and those that are to be skipped",
      "zstd",
      Buffer.concat([skippable, zlib.zstdCompressSync("one, "), skippable, zlib.zstdCompressSync("two")]),
    ],
  ])("%s", async (_what, codec, bytes) => {
    expect(String(await unpackedBy(codec, bytes))).toBe("one, two");
  });
});

describe("bytes that are not what they seem", () => {
  const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];
  const lz4 = Buffer.from([4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]); // magic, flags, block size, checksum
  const reasonOf = (unpacking: Promise<Buffer>): Promise<string> =>
    unpacking.then(
      () => "read",
      (error: unknown) => (error instanceof Unreadable ? error.reason : String(error)),
    );

  test("end in bytes or are broken, and never hang", async () => {
    const heads = fc.constantFrom(
      Buffer.alloc(0),
      lz4,
      Buffer.from("\u0082SNAPPY\0\0\0\0\u0001\0\0\0\u0001", "latin1"),
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
      Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
    );
    await fc.assert(
      fc.asyncProperty(heads, fc.uint8Array({ maxLength: 200 }), async (head, tail) => {
        for (const codec of everyCodec) {
          const reason = await reasonOf(unpackedBy(codec, Buffer.concat([head, tail])));
          expect(["read", "broken", "too-large"]).toContain(reason);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("are found broken wherever one of theirs is changed or missing", async () => {
    const text = Buffer.from(values[4]!);
    for (const codec of everyCodec) {
      const whole = packed(codec, text);
      for (const cut of [1, 4, 11, whole.length - 1])
        expect([codec, cut, await reasonOf(unpackedBy(codec, whole.subarray(0, cut)))]).toEqual([codec, cut, "broken"]);
    }
  });

  test.each<[string, Codec, Buffer]>([
    ["a reference before the beginning", "snappy", Buffer.from([8, 0x11, 4])],
    ["a literal that is cut off", "snappy", Buffer.from([8, (8 - 1) << 2, 1, 2])],
    ["a chunk that is cut off", "snappy", Buffer.from("\u0082SNAPPY\0........\0\0\0\u00ff12", "latin1")],
    ["another length than it says", "snappy", Buffer.from([9, (4 - 1) << 2, ...Buffer.from("abcd")])],
    ["no LZ4 frame", "lz4", Buffer.from("0123456789")],
    ["an LZ4 frame without its end", "lz4", lz4],
    ["no zstd frame", "zstd", Buffer.from("0123456789")],
    ["nothing", "zstd", Buffer.alloc(0)],
    ["a thousand zstd frames", "zstd", Buffer.concat(Array<Buffer>(1000).fill(zlib.zstdCompressSync("")))],
    ["seventeen zstd frames", "zstd", Buffer.concat(Array<Buffer>(17).fill(zlib.zstdCompressSync("")))],
    ["a zstd frame with a window of 2 GiB", "zstd", Buffer.from([...zstdMagic, 0, (31 - 10) << 3, 1, 0, 0])],
    ["a zstd frame that needs a dictionary", "zstd", Buffer.from([...zstdMagic, 1, (20 - 10) << 3, 7, 1, 0, 0])],
    // A literal, and a reference of 4 bytes to what only the dictionary holds.
    [
      "an LZ4 frame that needs a dictionary",
      "lz4",
      Buffer.from([
        4, 0x22, 0x4d, 0x18, 0x61, 0x40, 7, 0, 0, 0, 0x82, 6, 0, 0, 0, 0x10, 0x61, 9, 0, 0x10, 0x61, 0, 0, 0, 0,
      ]),
    ],
    ["zlib's own format", "gzip", zlib.deflateSync("text")],
  ])("%s is broken", async (_what, codec, bytes) => {
    expect(await reasonOf(unpackedBy(codec, bytes))).toBe("broken");
  });

  test.each([5, 6, 7])("compression %d is none that is known", async (codec) => {
    expect(await reasonOf(unpack(codec, Buffer.alloc(100), bound))).toBe("unknown-codec");
  });

  test.each(everyCodec)("more than the bound is not unpacked, and just as much is: %s", async (codec) => {
    const whole = bomb(codec, bound - 20);
    const { length } = await unpackedBy(codec, whole, 2 * bound);
    expect(length).toBeGreaterThan(bound - 20);
    expect((await unpackedBy(codec, whole, length)).length).toBe(length);
    expect(await reasonOf(unpackedBy(codec, whole, length - 1))).toBe("too-large");
  });

  const half = Buffer.alloc(1500, "a");
  test.each<[string, Codec, Buffer]>([
    ["gzip's members", "gzip", Buffer.concat([zlib.gzipSync(half), zlib.gzipSync(half)])],
    ["zstd's frames", "zstd", Buffer.concat([zlib.zstdCompressSync(half), zlib.zstdCompressSync(half)])],
    ["chunks of Java's snappy", "snappy", Buffer.concat([xerial, snappyChunk(half), snappyChunk(half)])],
    ["streams of Java's snappy", "snappy", Buffer.concat([xerial, snappyChunk(half), xerial, snappyChunk(half)])],
    ["LZ4's blocks", "lz4", Buffer.concat([lz4, lz4Block(half), lz4Block(half), Buffer.alloc(4)])],
  ])("the bound is for all of them together: %s", async (_what, codec, bytes) => {
    expect((await unpackedBy(codec, bytes, 3000)).length).toBe(3000);
    expect(await reasonOf(unpackedBy(codec, bytes, 2999))).toBe("too-large");
  });

  test("the loop goes on meanwhile", async () => {
    // What costs most for its length: references of four bytes.
    const total = 4 * 2_000_000;
    const length = [0, 7, 14, 21].map((shift) => ((total >> shift) & 0x7f) | (shift < 21 ? 0x80 : 0));
    const small = Buffer.concat([
      Buffer.from([...length, 3 << 2, ...Buffer.from("abcd")]),
      Buffer.alloc(total / 2 - 2, Buffer.from([1, 4])),
    ]);
    let turns = 0;
    let next: NodeJS.Immediate;
    const count = (): void => {
      turns += 1;
      next = setImmediate(count);
    };
    next = setImmediate(count);
    expect((await unpackedBy("snappy", small, total)).length).toBe(total);
    clearImmediate(next);
    expect(turns).toBeGreaterThan(5); // one every 4 ms; none where it is done at once
  });
});
