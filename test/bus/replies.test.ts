// Replies: where they may go, what is let go, and for how long it is tried. Time between tries is real and short.

import { makeReplies } from "../../src/bus/replies.ts";
import { KafkaFault, type KafkaFaultKind } from "../../src/kafka/faults.ts";
import type { OutRecord } from "../../src/kafka/records.ts";
import { makeLogger } from "../../src/runtime/log.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));
const address = (topic: string, partition?: number) => ({ topic, partition, correlationId: undefined });
const reply = (topic: string, partition?: number): OutRecord => ({
  topic,
  ...(partition !== undefined && { partition }),
  key: null,
  value: null,
  headers: {},
});

function replies(partitions: Record<string, number>) {
  const time = { ms: 0 };
  const asked: string[] = [];
  const sent: OutRecord[] = [];
  const lost: string[] = [];
  const state = { kafka: undefined as Error | undefined, send: [] as Error[] };
  const made = makeReplies({
    kafka: {
      async partitionsOf(topic) {
        asked.push(topic);
        if (state.kafka) throw state.kafka;
        return partitions[topic];
      },
    },
    sender: {
      async send(record) {
        const failure = state.send.shift();
        if (failure) throw failure;
        sent.push(record);
      },
    },
    log: makeLogger("silent", {}),
    monotonic: () => time.ms,
    lost: (reason) => lost.push(reason),
  });
  return { replies: made, time, asked, sent, lost, state, partitions };
}

const fault = (kind: KafkaFaultKind) => new KafkaFault(kind, new Error("said the broker"));
const never = new AbortController().signal;

describe("a destination", () => {
  test.each([
    ["a topic that is there, any partition", address("here"), true],
    ["its first partition", address("here", 0), true],
    ["its last partition", address("here", 2), true],
    ["a partition beyond", address("here", 3), false],
    ["a topic that is not there", address("nowhere"), false],
  ])("%s", async (_what, to, expected) => {
    expect(await replies({ here: 3 }).replies.reachable(to)).toBe(expected);
  });

  test("is asked for once a minute, and by many at a time once", async () => {
    const { replies: made, asked, time } = replies({ here: 3 });
    await Promise.all(Array.from({ length: 50 }, () => made.reachable(address("here", 1))));
    time.ms = 59_999;
    await made.reachable(address("here"));
    expect(asked).toEqual(["here"]);
    time.ms = 60_000;
    await made.reachable(address("here"));
    expect(asked).toEqual(["here", "here"]);
  });

  test("that is not there is looked for again after 3 s", async () => {
    const { replies: made, asked, time, partitions } = replies({});
    expect(await made.reachable(address("new"))).toBe(false);
    partitions["new"] = 1;
    time.ms = 2999;
    expect(await made.reachable(address("new"))).toBe(false);
    expect(asked).toEqual(["new"]);
    time.ms = 3000;
    expect(await made.reachable(address("new"))).toBe(true);
  });

  test("a partition that a topic may have got a moment ago is looked up again, ten times a second at most and once for all who ask", async () => {
    const { replies: made, asked, partitions } = replies({ small: 1 });
    expect(await made.reachable(address("small", 1))).toBe(false);
    const before = asked.length;
    partitions["small"] = 2;
    const began = performance.now();
    const found = await Promise.all(Array.from({ length: 50 }, () => made.reachable(address("small", 1))));
    expect(new Set(found)).toEqual(new Set([true]));
    expect(asked).toHaveLength(before + 1);
    expect(performance.now() - began).toBeGreaterThan(90);
  });

  test("that could not be asked for is asked for again at once", async () => {
    const { replies: made, state, asked } = replies({ here: 1 });
    state.kafka = fault("unavailable");
    await expect(made.reachable(address("here"))).rejects.toThrow("unavailable");
    state.kafka = undefined;
    expect(await made.reachable(address("here"))).toBe(true);
    expect(asked).toHaveLength(2);
  });

  test("does not fill the memory: foreign names are forgotten beyond a bound", async () => {
    const { replies: made, asked } = replies({});
    const ask = async (from: number, to: number): Promise<void> => {
      for (let number = from; number < to; number += 1) await made.reachable(address(`t${number}`));
    };
    await ask(0, 5000);
    await made.reachable(address("t0"));
    expect(asked).toHaveLength(5000); // the control: within half of the bound all is remembered
    await ask(5000, 15_000);
    await made.reachable(address("t0"));
    expect(asked).toHaveLength(15_001);
  });
});

describe("a reply", () => {
  test("is sent as it is, and nothing is counted", async () => {
    const { replies: made, sent, lost } = replies({ here: 3 });
    await made.send(reply("here", 2), never);
    expect(sent).toEqual([reply("here", 2)]);
    expect(lost).toEqual([]);
  });

  test.each([
    ["an unknown topic", reply("nowhere")],
    ["a partition out of range", reply("here", 3)],
  ])("to %s is dropped and counted, and never joins a batch", async (_what, record) => {
    const { replies: made, sent, lost } = replies({ here: 3 });
    await made.send(record, never);
    expect(sent).toEqual([]);
    expect(lost).toEqual(["unknown-destination"]);
  });

  test.each<KafkaFaultKind>(["too-large", "not-authorized", "refused"])(
    "that the broker refuses for good (%s) is dropped and counted",
    async (kind) => {
      const { replies: made, sent, lost, state } = replies({ here: 3 });
      state.send = [fault(kind)];
      await made.send(reply("here"), never);
      expect([sent, lost]).toEqual([[], [kind]]);
    },
  );

  test.each([
    ["is let go where it is", 0, "unknown-destination"],
    [
      "is sent where it is not: a broker that has just started lists a topic before it takes records for it",
      1,
      undefined,
    ],
  ])("whose topic is gone, says the broker, is asked for anew: it %s", async (_what, left, reason) => {
    const { replies: made, sent, lost, state, asked, partitions } = replies({ here: 3 });
    await made.reachable(address("here"));
    if (left === 0) delete partitions["here"];
    state.send = [fault("unknown-topic")];
    await made.send(reply("here"), never);
    expect([asked.length, sent.length, lost[0]]).toEqual([2, left, reason]);
  });

  test("is tried while brokers are away or do not let us in, and sent once when they are back", async () => {
    const { replies: made, sent, lost, state } = replies({ here: 3 });
    state.send = [fault("unavailable"), fault("not-authenticated")];
    await made.send(reply("here"), never);
    expect([sent.length, lost]).toEqual([1, []]);
  });

  test("is tried while its destination cannot be asked for", async () => {
    const { replies: made, sent, asked, state } = replies({ here: 3 });
    state.kafka = fault("unavailable");
    const sending = made.send(reply("here"), never);
    await settled();
    expect([asked.length, sent.length]).toEqual([1, 0]);
    state.kafka = undefined;
    await sending;
    expect(sent).toHaveLength(1);
  });

  test("is given up when the signal comes, and reports that it was not acknowledged", async () => {
    const { replies: made, sent, lost, state } = replies({ here: 3 });
    state.kafka = fault("unavailable");
    const stopping = new AbortController();
    const sending = made.send(reply("here"), stopping.signal);
    await settled();
    stopping.abort();
    await expect(sending).rejects.toThrow("stopped before the reply was acknowledged");
    expect([sent, lost]).toEqual([[], []]);
  });

  test("is not begun after the signal", async () => {
    const { replies: made, sent } = replies({ here: 3 });
    await expect(made.send(reply("here"), AbortSignal.abort())).rejects.toMatchObject({ kind: "unavailable" });
    expect(sent).toEqual([]);
  });

  test("with a fault of ours is not tried again", async () => {
    const { replies: made, state } = replies({ here: 3 });
    state.send = [new TypeError("a fault of ours")];
    await expect(made.send(reply("here"), never)).rejects.toThrow("a fault of ours");
  });
});
