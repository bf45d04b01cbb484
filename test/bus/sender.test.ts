// The sender: what shares a produce, in which order, and who is told of a failure. Against Kafka: kafka/kafka.test.ts.

import { makeSender } from "../../src/bus/sender.ts";
import { KafkaFault } from "../../src/kafka/faults.ts";
import type { OutRecord } from "../../src/kafka/records.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));
const record = (name: string): OutRecord => ({ topic: "t", key: Buffer.from(name), value: null, headers: {} });
const nameOf = (each: OutRecord): string => String(each.key);

/** A Kafka that takes batches when it is told to, and refuses those with a record called bad or away. */
function kafka() {
  const batches: string[][] = [];
  const waiting: (() => void)[] = [];
  let atATime = 0;
  let most = 0;
  const produce = async (records: OutRecord[]): Promise<void> => {
    batches.push(records.map(nameOf));
    atATime += 1;
    most = Math.max(most, atATime);
    await new Promise<void>((resolve) => waiting.push(resolve));
    atATime -= 1;
    const names = records.map(nameOf);
    if (records.some(({ topic }) => topic === "gone")) throw new KafkaFault("unknown-topic", new Error("gone"));
    if (names.some((name) => name.startsWith("bad"))) throw new KafkaFault("too-large", new Error("bad"));
    if (names.includes("away")) throw new KafkaFault("unavailable", new Error("away"));
    if (names.includes("fault")) throw new TypeError("a fault of ours");
  };
  /** Answers what is in flight until nothing is. */
  const drain = async (): Promise<void> => {
    for (await settled(); waiting.length > 0; await settled()) waiting.shift()!();
  };
  return { produce, batches, waiting, drain, most: () => most };
}

function sending(names: string[], produce: (records: OutRecord[]) => Promise<void>) {
  const sender = makeSender({ produce });
  const order: string[] = [];
  const sent = names.map((name) =>
    sender.send(record(name)).then(
      () => void order.push(name),
      (error: Error) => void order.push(`${name}: ${error.message}`),
    ),
  );
  return { sender, order, sent };
}

const twenty = Array.from({ length: 20 }, (_, number) => `r${number}`);

test("20 sends in one tick are one produce, acknowledged in order", async () => {
  const { produce, batches, drain } = kafka();
  const { sender, order, sent } = sending(twenty, produce);
  expect(sender.pending).toBe(20);
  await drain();
  await Promise.all(sent);
  expect(batches).toEqual([twenty]);
  expect(order).toEqual(twenty);
  expect(sender.pending).toBe(0);
});

test("what comes while a produce is in flight shares the next one; never two are in flight", async () => {
  const { produce, batches, drain, waiting, most } = kafka();
  const { sender, order } = sending(["a", "b"], produce);
  await settled();
  const later: Promise<void>[] = [];
  for (const name of ["c", "d", "e"]) {
    later.push(sender.send(record(name)).then(() => void order.push(name)));
    await settled();
  }
  expect(batches).toEqual([["a", "b"]]);
  expect([sender.pending, waiting.length]).toEqual([5, 1]);
  await drain();
  await Promise.all(later);
  expect(batches).toEqual([
    ["a", "b"],
    ["c", "d", "e"],
  ]);
  expect([order, most()]).toEqual([["a", "b", "c", "d", "e"], 1]);
});

test("nothing is acknowledged before the produce is", async () => {
  const { produce, drain, waiting } = kafka();
  const { order, sent } = sending(["a"], produce);
  await settled();
  expect([order, waiting.length]).toEqual([[], 1]);
  await drain();
  await Promise.all(sent);
  expect(order).toEqual(["a"]);
});

test("more than 2,000 records are several produces, in order", async () => {
  const { produce, batches, drain, most } = kafka();
  const many = Array.from({ length: 4500 }, (_, number) => `r${number}`);
  const { order, sent } = sending(many, produce);
  await drain();
  await Promise.all(sent);
  expect(batches.map((batch) => batch.length)).toEqual([2000, 2000, 500]);
  expect(batches.flat()).toEqual(many);
  expect([order, most()]).toEqual([many, 1]);
});

test("a bad record does not take its neighbours with it, and their order stays", async () => {
  const { produce, batches, drain, most } = kafka();
  const { order, sent } = sending(["a", "bad", "b", "bad too", "c"], produce);
  await drain();
  await Promise.all(sent);
  expect(order).toEqual(["a", "bad: Kafka: too-large: bad", "b", "bad too: Kafka: too-large: bad", "c"]);
  expect(batches.slice(1)).toEqual([["a"], ["bad"], ["b"], ["bad too"], ["c"]]);
  expect(most()).toBe(1);
});

test("a bad topic does not take the others with it, and is tried once for all its records", async () => {
  const { produce, batches, drain } = kafka();
  const sender = makeSender({ produce });
  const topics = ["t", "gone", "u", "gone", "t"];
  const sent = Promise.allSettled(topics.map((topic, at) => sender.send({ ...record(String(at)), topic })));
  await drain();
  const ends = (await sent).map(({ status }) => status);
  expect(ends).toEqual(["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
  expect(batches.slice(1)).toEqual([["0", "4"], ["1", "3"], ["2"]]);
});

test.each([
  ["brokers that are away", "away", "Kafka: unavailable: away"],
  ["a fault that is not Kafka's", "fault", "a fault of ours"],
])("%s fail all records of the produce once; the next produce is tried", async (_what, name, message) => {
  const { produce, batches, drain } = kafka();
  const { sender, order, sent } = sending(["a", name, "b"], produce);
  await settled();
  const next = sender.send(record("c"));
  await drain();
  await Promise.all(sent);
  await next;
  expect(order).toEqual(["a", name, "b"].map((each) => `${each}: ${message}`));
  expect(batches).toEqual([["a", name, "b"], ["c"]]);
});

test("after everything was sent a new send begins a new produce", async () => {
  const { produce, batches, drain } = kafka();
  const { sender, sent } = sending(["a"], produce);
  await drain();
  await Promise.all(sent);
  const again = sender.send(record("b"));
  await drain();
  await again;
  expect(batches).toEqual([["a"], ["b"]]);
});

test("what is acknowledged is counted by batches, what fails is not", async () => {
  const { produce, drain } = kafka();
  const sender = makeSender({ produce });
  const sent = [record("a"), record("b")].map((each) => sender.send(each));
  expect([sender.pending, sender.acknowledged]).toEqual([2, 0]);
  await drain();
  await Promise.all(sent);
  expect([sender.pending, sender.acknowledged]).toEqual([0, 1]);
  const failed = expect(sender.send(record("away"))).rejects.toThrow("away");
  await drain();
  await failed;
  expect([sender.pending, sender.acknowledged]).toEqual([0, 1]);
});
