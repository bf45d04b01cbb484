// How dead letters are found: bounded reads of a topic, windows from its end, and notes after what they are about.

import { setTimeout as sleep } from "node:timers/promises";
import { type Letter, noteRecord } from "../../../src/authctl/dlq/letters.ts";
import { readSpans } from "../../../src/authctl/dlq/read.ts";
import { fetchLetters, findNewest } from "../../../src/authctl/dlq/search.ts";
import { deadLetter } from "../../../src/bus/dead-letter.ts";
import type { InRecord } from "../../../src/kafka/records.ts";
import { busNames, deadLetterTopic } from "../../../src/protocol/bus-names.ts";
import { type RealKafka, realKafka } from "../../kafka/real-kafka.ts";
import { testStack } from "../../support/stack.ts";
import { until } from "../../support/until.ts";
import { called } from "../authctl.ts";

let real: RealKafka;
beforeEach(async () => {
  real = await realKafka("dlq");
  // kafkajs asks for the leaders of a new topic at once, and a busy broker may not know them yet: the next call does.
  await until("the topic is there", async () => {
    await real.kafka.ensureTopics([{ topic: deadLetterTopic, partitions: 2, replication: 1, config: {} }]);
    return true;
  });
});
afterEach(() => real.close());

/** Writes dead letters of records from the topic `origin`, one after the other, each later by the clock too. */
async function addDeadLetters(count: number, { origin = "delete", partition = 0 } = {}): Promise<void> {
  for (let done = 0; done < count; done += 500) {
    const letters = Array.from({ length: Math.min(500, count - done) }, (_, index) => letter(origin, done + index));
    await real.kafka.produce(letters.map((each) => ({ ...each, partition })));
  }
  const acknowledged = Date.now(); // a broker may take two produces within a millisecond
  while (Date.now() <= acknowledged) await sleep(1);
}

function letter(topic: string, offset: number) {
  const record = { topic, partition: 0, offset: BigInt(offset), timestamp: 1, key: null, value: null, headers: {} };
  return deadLetter(record, { error: "no reason", now: 1, deadLetters: busNames.deadLetters });
}

const ids = (letters: Letter[]) => letters.map(({ id }) => `${id.partition}/${id.offset}`);
const wanted = { fits: () => true, all: false, limit: 3, since: 0 };

describe("a bounded read", () => {
  test.each([
    ["from the beginning", 1_000_000],
    ["from where it begins", 1],
  ])("gives each record of its spans once, in order, and no other: %s", async (_how, skipWorth) => {
    await addDeadLetters(1500);
    await addDeadLetters(20, { partition: 1 });
    const seen: InRecord[] = [];
    const spans = new Map([
      [0, { from: 900n, to: 1400n }],
      [1, { from: 20n, to: 20n }],
    ]);
    const onRecord = (record: InRecord) => seen.push(record);
    expect(await readSpans(real.kafka, { topic: deadLetterTopic, spans, onRecord, skipWorth })).toEqual([]);
    expect(seen.map(({ partition, offset }) => `${partition}/${offset}`)).toEqual(
      Array.from({ length: 500 }, (_, index) => `0/${900 + index}`),
    );
  });

  test.each([1_000_000, 1])(
    "names the partition whose records are no longer kept (skipWorth %d)",
    async (skipWorth) => {
      await addDeadLetters(10);
      await addDeadLetters(10, { partition: 1 });
      const topic = real.prefix + deadLetterTopic;
      await real.admin.fetchTopicOffsets(topic); // kafkajs deletes only where it knows the topic
      await real.admin.deleteTopicRecords({
        topic,
        partitions: [
          { partition: 0, offset: "10" },
          { partition: 1, offset: "8" },
        ],
      });
      const seen: string[] = [];
      const spans = new Map([0, 1].map((partition) => [partition, { from: 5n, to: 10n }]));
      const onRecord = ({ partition, offset }: InRecord) => seen.push(`${partition}/${offset}`);
      const options = { topic: deadLetterTopic, spans, onRecord, skipWorth, quietMs: 2000 };
      expect(await readSpans(real.kafka, options)).toEqual([0]);
      expect(seen).toEqual(["1/8", "1/9"]);
    },
  );
});

describe("the newest", () => {
  test("come from the end of every partition, in order of time, with word of older ones", async () => {
    await addDeadLetters(5);
    await addDeadLetters(5, { partition: 1 });
    await addDeadLetters(1);
    expect(await findNewest(real.kafka, wanted)).toMatchObject({ more: true, unread: [] });
    expect(ids((await findNewest(real.kafka, wanted)).letters)).toEqual(["0/5", "1/4", "1/3"]);
    const all = await findNewest(real.kafka, { ...wanted, limit: 11 });
    expect([all.letters.length, all.more]).toEqual([11, false]);
  });

  test("are searched for further back where those at the end do not fit or were put away", async () => {
    await addDeadLetters(3, { origin: "check_verified" });
    await addDeadLetters(60);
    const put = [60n, 61n, 62n].map((offset) => noteRecord({ partition: 0, offset }, "dropped", "me"));
    await real.kafka.produce([...put, noteRecord({ partition: 0, offset: 59n }, "replayed", "me")]);
    const small = { ...wanted, window: 4 };
    const open = await findNewest(real.kafka, small);
    expect([ids(open.letters), open.more]).toEqual([["0/58", "0/57", "0/56"], true]);
    const fits = ({ topic }: Letter) => topic === "check_verified";
    const far = await findNewest(real.kafka, { ...small, fits });
    expect([ids(far.letters), far.more]).toEqual([["0/2", "0/1", "0/0"], false]);
    const all = await findNewest(real.kafka, { ...small, all: true, limit: 4 });
    expect(all.letters.map(({ note }) => note?.action)).toEqual(["dropped", "dropped", "dropped", "replayed"]);
    expect(all.letters[0]!.note).toMatchObject({ by: "me" });
  });

  test("are none where all are older, or there are none", async () => {
    expect(await findNewest(real.kafka, wanted)).toEqual({ letters: [], more: false, unread: [] });
    await addDeadLetters(20);
    const later = { ...wanted, window: 4, since: Number.MAX_SAFE_INTEGER };
    expect(await findNewest(real.kafka, later)).toEqual({ letters: [], more: false, unread: [] });
  });

  test("do not count what is neither a dead letter nor a note, nor a note that another client wrote into its record", async () => {
    await real.kafka.produce([
      { topic: deadLetterTopic, partition: 0, key: null, value: null, headers: { probe: "x" } },
    ]);
    await addDeadLetters(1);
    const forged = { ...letter("delete", 9), partition: 0 };
    await real.kafka.produce([{ ...forged, headers: { ...forged.headers, "auth-dlq-dropped": "0/1" } }]);
    expect(ids((await findNewest(real.kafka, wanted)).letters)).toEqual(["0/2", "0/1"]);
  });
});

test("a letter whose topic is gone is not replayed", async () => {
  await addDeadLetters(1);
  const env = { AUTH_KAFKA_BROKERS: testStack().kafka, AUTH_TOPIC_PREFIX: real.prefix };
  const { code, stdout } = await called(["dlq", "replay", "0/0", "--yes"], env);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "0/0 was not replayed. Its topic delete is gone.\n" });
});

describe("letters by id", () => {
  test("come in the order asked, with what became of them", async () => {
    await addDeadLetters(10);
    await addDeadLetters(10, { partition: 1 });
    await real.kafka.produce([noteRecord({ partition: 1, offset: 2n }, "replayed", "me")]);
    const asked = [
      { partition: 1, offset: 2n },
      { partition: 0, offset: 7n },
    ];
    const found = await fetchLetters(real.kafka, asked, 1e6);
    expect(ids(found.map((each) => each.letter))).toEqual(["1/2", "0/7"]);
    expect(found.map((each) => each.letter.note?.action)).toEqual(["replayed", undefined]);
    expect(found.every((each) => each.record !== undefined)).toBe(true);
  });

  test("hold no more bytes than may be held", async () => {
    await addDeadLetters(2);
    const asked = [0n, 1n].map((offset) => ({ partition: 0, offset }));
    const found = await fetchLetters(real.kafka, asked, 60);
    expect(found.map(({ record }) => record !== undefined)).toEqual([true, false]);
  });

  test.each([
    ["a partition that is not there", 2, 0n, "has the partitions 0 to 1"],
    ["an offset behind the end", 0, 2n, "ends with 1"],
    ["an empty partition", 1, 0n, "is empty"],
    ["a note", 0, 1n, "a note about another one"],
  ])("are refused for %s", async (_what, partition, offset, sentence) => {
    await addDeadLetters(1);
    await real.kafka.produce([noteRecord({ partition: 0, offset: 0n }, "dropped", "me")]);
    const asked = fetchLetters(real.kafka, [{ partition, offset }], 0);
    await expect(asked).rejects.toMatchObject({ code: "NOT_FOUND", message: expect.stringContaining(sentence) });
  });
});
