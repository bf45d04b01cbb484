// The reader of record batches, against bytes made by others: whatever they claim, it ends, reads what is whole, and
// says from where on nothing is.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Unreadable } from "../../src/kafka/compression.ts";
import { hideAborted, readBatch, splitBatches } from "../../src/kafka/record-batch.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { type ForeignRecord, packed, recordBytes, recordsBytes } from "../support/foreign-batches.ts";

interface Head {
  firstOffset?: bigint;
  length?: number;
  magic?: number;
  attributes?: number;
  lastOffsetDelta?: number;
  count?: number;
  producerId?: bigint;
}

/** A batch as it lies in a log (Kafka protocol, RecordBatch). */
function batch(body: Buffer, count: number, head: Head = {}): Buffer {
  const bytes = Buffer.alloc(61);
  bytes.writeBigInt64BE(head.firstOffset ?? 100n, 0);
  bytes.writeInt32BE(head.length ?? 49 + body.length, 8);
  bytes.writeInt8(head.magic ?? 2, 16);
  bytes.writeInt16BE(head.attributes ?? 0, 21);
  bytes.writeInt32BE(head.lastOffsetDelta ?? count - 1, 23);
  bytes.writeBigInt64BE(1000n, 27);
  bytes.writeBigInt64BE(2000n, 35);
  bytes.writeBigInt64BE(head.producerId ?? -1n, 43);
  bytes.writeInt32BE(head.count ?? count, 57);
  return Buffer.concat([bytes, body]);
}

const partition = { topic: "t", partition: 3 };
const span = { from: 100n, end: 1_000_000n };

/** All that is read, and why no more. */
async function read(bytes: Buffer, from = span.from, maxBytes = 1_000_000) {
  const records: InRecord[] = [];
  const batches = splitBatches(bytes, { ...span, from });
  const faults: string[] = [];
  for (const each of batches) {
    const take = (some: InRecord[]): boolean => records.push(...some) > 0;
    try {
      await readBatch(each, { partition, from, maxBytes, take });
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      faults.push(`${error.reason}: ${error.message}`);
    }
  }
  return { records, faults, batches };
}

const three: ForeignRecord[] = ["a", "b", "c"].map((value) => ({ value: Buffer.from(value) }));
const valuesOf = (records: InRecord[]): string[] => records.map((each) => String(each.value));

test("a record is read as it was written, with its place and time", async () => {
  const headers: ForeignRecord["headers"] = [
    ["one", Buffer.from([255, 0])],
    ["twice", Buffer.from("a")],
    ["twice", Buffer.from("b")],
    ["twice", Buffer.from("c")],
    ["null", null],
    ["__proto__", Buffer.from("p")],
    ["constructor", Buffer.from("c")],
    ["", Buffer.alloc(0)],
  ];
  const body = recordsBytes([{ key: Buffer.from("k"), value: null, headers }]);
  const { records } = await read(batch(body, 1));
  expect(records).toHaveLength(1);
  const [{ headers: own, ...record }] = records as [InRecord];
  expect(record).toMatchObject({ ...partition, offset: 100n, timestamp: 1000, key: Buffer.from("k"), value: null });
  expect(
    Object.entries(own).map(([name, value]) => [name, [value].flat().map((each) => each!.toString("latin1"))]),
  ).toEqual([
    ["one", ["\u00ff\0"]],
    ["twice", ["a", "b", "c"]],
    ["__proto__", ["p"]],
    ["constructor", ["c"]],
    ["", [""]],
  ]);
  const [byBroker] = (await read(batch(body, 1, { attributes: 8 }))).records;
  expect([byBroker!.timestamp, byBroker!.producersTime]).toEqual([2000, undefined]);
  expect(record.producersTime).toBe(true);
});

test("records below where it was asked from are left out, and batches are read one after the other", async () => {
  const bytes = Buffer.concat([
    batch(recordsBytes(three), 3, { firstOffset: 98n }),
    batch(packed("gzip", recordsBytes(three)), 3, { firstOffset: 101n, attributes: 1 }),
  ]);
  const { records, faults } = await read(bytes, 100n);
  expect([valuesOf(records), records.map(({ offset }) => offset), faults]).toEqual([
    ["c", "a", "b", "c"],
    [100n, 101n, 102n, 103n],
    [],
  ]);
});

test("a last batch that is cut off is left for the next fetch", async () => {
  const whole = batch(recordsBytes(three), 3);
  for (const cut of [1, 11, 12, 60, whole.length - 1]) {
    expect(await read(Buffer.concat([whole, whole.subarray(0, cut)]))).toMatchObject({
      faults: [],
      records: [{}, {}, {}],
    });
  }
});

test("a transaction's markers, and what was aborted of one, are hidden", () => {
  const bytes = (["data", "data", "marker", "data"] as const).map((what, at) =>
    batch(recordsBytes(three.slice(0, 1)), 1, {
      firstOffset: 100n + BigInt(at),
      attributes: what === "marker" ? 0x30 : 0x10,
      producerId: at === 1 ? 8n : 7n,
    }),
  );
  const batches = splitBatches(Buffer.concat(bytes), span);
  hideAborted(batches, [{ producerId: 7n, firstOffset: 100n }]);
  expect(batches.map(({ hidden }) => hidden)).toEqual([true, false, true, false]);
});

test("many records come in lots, none lost, until no more are wanted", async () => {
  const many = Array.from({ length: 3000 }, (_, at) => ({ value: Buffer.from(String(at)) }));
  const [each] = splitBatches(batch(recordsBytes(many), many.length), span);
  const lots: InRecord[][] = [];
  await readBatch(each!, { partition, from: 100n, maxBytes: 1, take: (some) => lots.push(some) > 0 });
  expect(valuesOf(lots.flat())).toEqual(many.map(({ value }) => String(value)));
  expect(Math.max(...lots.map(({ length }) => length))).toBeLessThanOrEqual(500);
  const taken: InRecord[][] = [];
  await readBatch(each!, { partition, from: 100n, maxBytes: 1, take: (some) => taken.push(some) < 2 });
  expect(taken).toHaveLength(2);
});

test("a record that waits does not keep the batch that it came with", async () => {
  const { records } = await read(batch(recordsBytes([...three, { value: Buffer.alloc(900_000) }]), 4));
  expect(records[0]!.value!.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
});

test("headers beyond the two hundredth are left out, and it says so", async () => {
  const headers = Array.from({ length: 5000 }, (_, at): [string, Buffer] => [`h${at}`, Buffer.of(1)]);
  const [record] = (await read(batch(recordsBytes([{ headers }]), 1))).records;
  expect([Object.keys(record!.headers).length, record!.headersLeftOut]).toEqual([200, true]);
  const [few] = (await read(batch(recordsBytes([{ headers: headers.slice(0, 200) }]), 1))).records;
  expect(few!.headersLeftOut).toBeUndefined();
});

describe("bytes that lie", () => {
  const lying = (lies: ForeignRecord["lies"]): Buffer =>
    recordsBytes([{ value: Buffer.from("a") }, { value: Buffer.from("b"), lies: lies! }, { value: Buffer.from("c") }]);

  test.each<[string, Buffer, string[]]>([
    ["a record longer than what is left", batch(lying({ size: 2 ** 31 - 1 }), 3), ["a"]],
    ["a record that is shorter than its parts", batch(lying({ size: 4 }), 3), ["a"]],
    ["a record that is longer than its parts", batch(lying({ size: 9 }), 3), ["a"]],
    ["a record of negative length", batch(lying({ size: -7 }), 3), ["a"]],
    ["a value longer than what is left", batch(lying({ valueLength: 2 ** 31 - 1 }), 3), ["a"]],
    ["a value of negative length", batch(lying({ valueLength: -77 }), 3), ["a"]],
    ["2^31 headers", batch(lying({ headers: 2 ** 31 - 1 }), 3), ["a"]],
    ["a negative number of headers", batch(lying({ headers: -2 }), 3), ["a"]],
    ["2^31 records", batch(lying({}), 3, { count: 2 ** 31 - 1 }), ["a", "b", "c"]],
    ["fewer records than there are", batch(lying({}), 3, { count: 2 }), ["a", "b"]],
    ["a negative number of records", batch(lying({}), 3, { count: -1 }), []],
    ["offsets that go back", batch(Buffer.concat([recordBytes(three[0]!, 1), recordBytes(three[1]!, 0)]), 2), ["a"]],
    ["offsets beyond the last", batch(recordsBytes(three), 3, { lastOffsetDelta: 1 }), ["a", "b"]],
    ["a number that does not end", batch(Buffer.alloc(20, 0xff), 1), []],
    ["no record at all", batch(Buffer.alloc(0), 1), []],
    ["a batch shorter than its head", batch(Buffer.alloc(0), 0, { length: 20 }), []],
    ["a batch of negative length", batch(recordsBytes(three), 3, { length: -13 }), []],
  ])("%s: what is before is read, and no more", async (_what, bytes, before) => {
    const { records, faults } = await read(bytes);
    expect(valuesOf(records)).toEqual(before);
    expect(faults.map((fault) => fault.split(":")[0])).toEqual(["broken"]);
  });

  test("compressed bytes that are none, or are too many, or by what nobody knows", async () => {
    const garbage = Buffer.from("garbage that says it is packed");
    const reasons = [1, 2, 3, 4, 5, 6, 7].map(async (attributes) => {
      const { faults } = await read(batch(garbage, 1, { attributes }));
      return faults.map((fault) => fault.split(":")[0]);
    });
    expect((await Promise.all(reasons)).flat()).toEqual([
      ...Array(4).fill("broken"),
      ...Array(3).fill("unknown-codec"),
    ]);
    const large = packed("gzip", recordsBytes([{ value: Buffer.alloc(100_000) }]));
    const bytes = batch(large, 1, { attributes: 1 });
    expect((await read(bytes, 100n, 99_999)).faults).toEqual(["too-large: more than 99999 bytes, unpacked"]);
    expect((await read(bytes, 100n, 100_100)).faults).toEqual([]); // the control
  });

  test("a batch is read up to so many records", async () => {
    const most = 131_072;
    const many = recordsBytes(Array.from({ length: most + 1 }, () => ({})));
    const { records, faults } = await read(batch(many, most + 1));
    expect([records.length, faults]).toEqual([most, ["too-large: more than 131072 records"]]);
    const last = recordBytes({}, most);
    const { faults: none } = await read(batch(many.subarray(0, -last.length), most)); // the control
    expect(none).toEqual([]);
  });

  test("a format from before Kafka 0.11 is passed over", async () => {
    const { faults, batches } = await read(batch(recordsBytes(three), 3, { magic: 1, firstOffset: 90n }));
    expect([faults, batches[0]!.lastOffset]).toEqual([["old-format: message format 1, from before Kafka 0.11"], 100n]);
  });

  test("a last offset before the first, or behind the partition's end, is not believed", () => {
    const lastOf = (lastOffsetDelta: number, end: bigint): bigint =>
      splitBatches(batch(recordsBytes(three), 3, { lastOffsetDelta }), { from: 100n, end })[0]!.lastOffset;
    expect([lastOf(-5, 103n), lastOf(2 ** 31 - 1, 103n), lastOf(2, 103n)]).toEqual([100n, 102n, 102n]);
  });

  test("whatever is changed, it ends, and hands over nothing twice or out of order", async () => {
    const whole = Buffer.concat([
      batch(recordsBytes([...three, { key: Buffer.from("k"), headers: [["h", Buffer.from("v")]] }]), 4),
      batch(packed("gzip", recordsBytes(three)), 3, { firstOffset: 104n, attributes: 1 }),
      batch(packed("zstd", recordsBytes(three)), 3, { firstOffset: 107n, attributes: 4 }),
    ]);
    const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const { at, to } of changes) bytes[at] = to;
        for (const each of splitBatches(bytes, span)) {
          const offsets: bigint[] = [];
          const take = (some: InRecord[]): boolean => offsets.push(...some.map(({ offset }) => offset)) > 0;
          await readBatch(each, { partition, from: 100n, maxBytes: 100_000, take }).catch((error: unknown) => {
            if (!(error instanceof Unreadable)) throw error;
          });
          expect(
            offsets.every((offset, at) => offset <= each.lastOffset && (at === 0 || offset > offsets[at - 1]!)),
          ).toBe(true);
          expect(each.lastOffset >= each.firstOffset).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
