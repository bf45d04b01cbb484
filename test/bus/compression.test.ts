// Compressed batches, as Kafka's own compressors write them: the broker packs what it is sent by the topic's compression.type.
import { randomBytes } from "node:crypto";
import zlib from "node:zlib";
import { compressionsAlgorithms } from "@platformatic/kafka";
import fc from "fast-check";
import driver from "kafkajs";
import { unpackLz4, unpackSnappy, unpackZstd } from "../../src/bus/compression.ts";
import { openKafkajs } from "../../src/bus/kafka-kafkajs.ts";
import { quiet } from "../support/fleet.ts";
import { everyDriver, type RealKafka, realKafka, record, spec } from "./real-kafka.ts";

const { GZIP, Snappy, LZ4, ZSTD } = driver.CompressionTypes;
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

/** Counts how often a function is called that others find by its name. */
function counted<Name extends PropertyKey>(holder: Record<Name, unknown>, name: Name) {
  const original = holder[name] as (...given: unknown[]) => unknown;
  let times = 0;
  holder[name] = (...given: unknown[]) => {
    times += 1;
    return original(...given);
  };
  return {
    times: () => times,
    stop: () => {
      holder[name] = original;
    },
  };
}

const unpackingBy = {
  kafkajs: (_name: Packed, type: keyof typeof driver.CompressionCodecs) => counted(driver.CompressionCodecs, type),
  platformatic: (name: Packed) => counted(compressionsAlgorithms[name], "decompressSync"),
};

type Packed = "gzip" | "snappy" | "lz4" | "zstd";

describe.each(everyDriver)("with %s", (driverName) => {
  let real: RealKafka;
  beforeAll(async () => {
    real = await realKafka("packed", driverName);
  });
  afterAll(() => real.close());

  test.each([
    ["gzip", GZIP],
    ["snappy", Snappy],
    ["lz4", LZ4],
    ["zstd", ZSTD],
  ] as const)("%s is read as it was sent, alone and together", async (name, type) => {
    await real.kafka.ensureTopics([spec(name, 1, { "compression.type": name, "max.message.bytes": "4000000" })]);
    const codec = unpackingBy[driverName](name, type);
    for (const value of values) await real.kafka.produce([record(name, value)]);
    await real.kafka.produce(values.map((value) => record(name, value)));
    const { consumption, has, ...reader } = real.reader([name]);
    await has(2 * values.length);
    expect(reader.values().every((value, at) => value === values[at % values.length])).toBe(true);
    expect(codec.times()).toBeGreaterThan(values.length); // the control: the broker has packed it
    codec.stop();
    await consumption.close();
  });
});

test("a codec that was there before stays", () => {
  const theirs = {
    compress: () => Promise.resolve(Buffer.alloc(0)),
    decompress: () => Promise.resolve(Buffer.alloc(0)),
  };
  const ours = driver.CompressionCodecs[LZ4];
  driver.CompressionCodecs[LZ4] = () => theirs;
  openKafkajs({ brokers: ["127.0.0.1:1"], clientId: "again", prefix: "" }, quiet);
  expect(driver.CompressionCodecs[LZ4]()).toBe(theirs);
  driver.CompressionCodecs[LZ4] = ours;
});

test("snappy in one bare block, as librdkafka writes it", () => {
  // "abcd", then 8 bytes from 4 back: literal of 4, reference of 8 at distance 4.
  const block = Buffer.from([12, (4 - 1) << 2, ...Buffer.from("abcd"), ((8 - 4) << 2) | 1, 4]);
  expect(unpackSnappy(block).toString()).toBe("abcdabcdabcd");
});

describe("bytes that are not what they seem", () => {
  const unpackers = [unpackSnappy, unpackLz4, unpackZstd];
  const lz4 = Buffer.from([4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]); // magic, flags, block size, checksum

  test("end in an error or in bytes, never in a hang", () => {
    const heads = fc.constantFrom(
      Buffer.alloc(0),
      lz4,
      Buffer.from("\u0082SNAPPY\0\0\0\0\u0001\0\0\0\u0001", "latin1"),
    );
    fc.assert(
      fc.property(heads, fc.uint8Array({ maxLength: 200 }), (head, tail) => {
        for (const unpack of unpackers) {
          try {
            expect(unpack(Buffer.concat([head, tail]))).toBeInstanceOf(Uint8Array);
          } catch (error) {
            expect(String((error as Error).name)).toMatch(/Error/);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each<[string, () => Buffer]>([
    ["a reference before the beginning", () => unpackSnappy(Buffer.from([8, 0x11, 4]))],
    ["a literal that is cut off", () => unpackSnappy(Buffer.from([8, (8 - 1) << 2, 1, 2]))],
    ["a chunk that is cut off", () => unpackSnappy(Buffer.from("\u0082SNAPPY\0........\0\0\0\u00ff12", "latin1"))],
    ["no LZ4 frame", () => unpackLz4(Buffer.from("0123456789"))],
    ["an LZ4 frame without its end", () => unpackLz4(lz4)],
    ["no zstd frame", () => unpackZstd(Buffer.from("0123456789"))],
  ])("%s is an error", (_what, unpack) => {
    expect(unpack).toThrow();
  });

  test("what would unpack to more than memory should hold is an error", () => {
    const bomb = zlib.zstdCompressSync(Buffer.alloc(130 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(100_000);
    expect(() => unpackZstd(bomb)).toThrow(/larger than|ERR_BUFFER_TOO_LARGE/);
    const reference = Buffer.from([0x1f, 0x61, 1, 0, ...Buffer.alloc(600_000, 255), 0]);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(reference.length);
    expect(() => unpackLz4(Buffer.concat([lz4, size, reference]))).toThrow("over 134217728 bytes");
  });
});
