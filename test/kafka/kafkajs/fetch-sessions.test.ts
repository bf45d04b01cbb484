// Fetch sessions for kafkajs: what the broker knows is what the consumer wants, whatever happens in between, and less
// is said for it.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import driver from "kafkajs";
import { type FetchTopic, makeFetchSession, type SessionRequest } from "../../../src/kafka/fetch-session.ts";
import { fetchSessions } from "../../../src/kafka/kafkajs/fetch-sessions.ts";
import { type Changes, openClient } from "../../../src/kafka/kafkajs/instances.ts";
import { patches } from "../../../src/kafka/kafkajs/patches.ts";
import { until } from "../../support/until.ts";
import { type RealKafka, realKafka, record, spec } from "../real-kafka.ts";

const fetchKey = 1;

/**
 * A broker's side of KIP-227, as far as a client can tell: the next offset of each partition it was named and not told
 * to forget.
 */
function makeBroker() {
  let wishes = new Map<string, string>();
  let session = 0;
  let epoch = 0;
  return {
    wishes: () => Object.fromEntries([...wishes].sort()),
    forgetSession: () => {
      session += 1;
    },
    ask({ sessionId, sessionEpoch, topics, forgottenTopics }: SessionRequest<string>) {
      if (sessionEpoch === 0) {
        session += 1;
        epoch = 0;
        wishes = new Map();
      } else if (sessionId !== session) return { errorCode: 70, sessionId: 0 };
      else if (sessionEpoch !== epoch + 1) return { errorCode: 71, sessionId };
      else epoch += 1;
      for (const { topic, partitions } of forgottenTopics)
        for (const each of partitions) wishes.delete(`${topic}/${each}`);
      for (const { topic, partitions } of topics)
        for (const { partition, fetchOffset } of partitions) wishes.set(`${topic}/${partition}`, fetchOffset);
      return { errorCode: 0, sessionId: session };
    },
  };
}

const flat = (wanted: FetchTopic<string>[]) =>
  Object.fromEntries(
    wanted
      .flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, fetchOffset }) => [`${topic}/${partition}`, fetchOffset] as const),
      )
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

const topicOf = (topic: string, offsets: Record<number, string>): FetchTopic<string> => ({
  topic,
  partitions: Object.entries(offsets).map(([partition, fetchOffset]) => ({
    partition: Number(partition),
    fetchOffset,
    maxBytes: 1,
  })),
});

const someTopics = fc
  .dictionary(
    fc.constantFrom("a", "b", "c"),
    fc.dictionary(fc.constantFrom(0, 1, 2, 3).map(String), fc.nat(5).map(String), { minKeys: 1 }),
  )
  .map((topics) => Object.entries(topics).map(([topic, offsets]) => topicOf(topic, offsets)));

describe("a session", () => {
  test("leaves the broker knowing what is wanted, through lost answers and forgotten sessions", () => {
    const step = fc.record({
      wanted: someTopics,
      fate: fc.constantFrom("well", "well", "well", "unsent", "answer lost", "session forgotten"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const [broker, session] = [makeBroker(), makeFetchSession<string>()];
        for (const { wanted, fate } of steps) {
          if (fate === "session forgotten") broker.forgetSession();
          const asked = session.next(wanted);
          if (fate === "unsent") {
            session.failed();
            continue;
          }
          const answer = broker.ask(asked);
          if (fate === "answer lost") {
            session.failed();
            continue;
          }
          if (session.answered(answer)) expect(session.answered(broker.ask(session.next(wanted)))).toBe(false);
          expect(broker.wishes()).toEqual(flat(wanted));
        }
      }),
    );
  });

  test("names only what moved, what is new, and what is given up", () => {
    const session = makeFetchSession<string>();
    expect(session.next([topicOf("a", { 0: "0", 1: "0" }), topicOf("b", { 0: "7" })])).toMatchObject({
      sessionEpoch: 0,
    });
    session.answered({ errorCode: 0, sessionId: 5 });
    const wanted = [topicOf("a", { 0: "0", 1: "3" }), topicOf("c", { 2: "1" })];
    expect(session.next(wanted)).toEqual({
      sessionId: 5,
      sessionEpoch: 1,
      topics: [topicOf("a", { 1: "3" }), topicOf("c", { 2: "1" })],
      forgottenTopics: [{ topic: "b", partitions: [0] }],
    });
    session.answered({ errorCode: 0, sessionId: 5 });
    expect(session.next(wanted)).toEqual({ sessionId: 5, sessionEpoch: 2, topics: [], forgottenTopics: [] });
  });

  test("is none where the broker keeps none: everything is named each time", () => {
    const session = makeFetchSession<string>();
    const wanted = [topicOf("a", { 0: "0" })];
    for (let time = 0; time < 3; time += 1) {
      expect(session.next(wanted)).toEqual({ sessionId: 0, sessionEpoch: 0, topics: wanted, forgottenTopics: [] });
      expect(session.answered({ errorCode: 0, sessionId: 0 })).toBe(false);
    }
  });
});

interface Fetched {
  responses: { partitions: unknown[] }[];
}

describe("with a real broker", () => {
  let real: RealKafka;
  beforeAll(async () => {
    real = await realKafka("sessions", "kafkajs");
    await real.kafka.ensureTopics([spec("wide", 40)]);
  });
  afterAll(() => real.close());

  /**
   * Reads a record and some more.
   * @returns partitions in the smallest answer that brought one of those: a busy machine may have a session made anew
   */
  async function partitionsPerAnswer(changes: Changes[]): Promise<number> {
    let largest = 0;
    const counted: Changes = {
      connection(made) {
        const send = made.send.bind(made);
        made.send = async (asked) => {
          const answer = await send(asked);
          if (asked.request.apiKey !== fetchKey) return answer;
          const partitions = (answer as Fetched).responses.flatMap((each) => each.partitions);
          largest = Math.max(largest, partitions.length);
          return answer;
        };
      },
    };
    const config = { clientId: "sessions", brokers: real.brokers, logLevel: driver.logLevel.NOTHING };
    const kafka = openClient(config, [patches, counted, ...changes]);
    const reader = kafka.consumer({ groupId: `${real.prefix}g${changes.length}`, maxWaitTimeInMs: 50 });
    const read: string[] = [];
    await reader.connect();
    await reader.subscribe({ topics: [`${real.prefix}wide`] });
    const joined = new Promise<void>((resolve) => reader.on(reader.events.GROUP_JOIN, () => resolve()));
    await reader.run({ eachMessage: async ({ message }) => void read.push(message.value!.toString()) });
    await joined;
    await until("it reads", async () => {
      await real.kafka.produce([record("wide", "first", { partition: 0 })]);
      return read.includes("first");
    });
    const partitions: number[] = [];
    for (const number of [1, 2, 3, 4]) {
      largest = 0;
      await real.kafka.produce([record("wide", String(number), { partition: 9 * number })]);
      await until("it is read", () => read.includes(String(number)));
      partitions.push(largest);
    }
    await reader.disconnect();
    return Math.min(...partitions);
  }

  test("an answer brings the partitions that have something; without sessions all of them", async () => {
    expect(await partitionsPerAnswer([fetchSessions])).toBeLessThan(5); // a partition is told of again when its end has moved
    expect(await partitionsPerAnswer([])).toBe(40);
  });
});
