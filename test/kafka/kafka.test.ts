// The port against a real Kafka: topics and records. Groups are in groups.test.ts.
import driver, { type Admin, type Producer } from "kafkajs";
import { makeSender } from "../../src/bus/sender.ts";
import type { Append } from "../../src/kafka/broker-clock.ts";
import { connectKafka, type KafkaPort } from "../../src/kafka/kafka.ts";
import type { OutRecord } from "../../src/kafka/records.ts";
import { quiet } from "../support/logger.ts";
import { until } from "../support/until.ts";
import { driversOfRun, type RealKafka, realKafka, record, spec } from "./real-kafka.ts";

describe.each(driversOfRun)("with %s", (driverName) => {
  let real: RealKafka;
  let kafka: KafkaPort;
  let admin: Admin;
  let foreign: Producer;
  let prefix: string;

  beforeAll(async () => {
    real = await realKafka("port", driverName);
    ({ kafka, admin, prefix } = real);
    foreign = real.raw.producer({ createPartitioner: driver.Partitioners.DefaultPartitioner });
    await foreign.connect();
  });
  afterAll(async () => {
    await foreign.disconnect();
    await real.close();
  });

  const reader: RealKafka["reader"] = (...given) => real.reader(...given);

  /** Names and values of a topic's own configuration. */
  async function configOf(topic: string): Promise<Record<string, string>> {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: driver.ConfigResourceTypes.TOPIC, name: prefix + topic }],
    });
    const own = resources[0]!.configEntries.filter((entry) => !entry.isDefault && entry.configSource === 1);
    return Object.fromEntries(own.map((entry) => [entry.configName, entry.configValue]));
  }

  describe("topics", () => {
    test("are created under the prefix with their partitions and configuration, and it says so", async () => {
      const made = await kafka.ensureTopics([spec("made", 3, { "retention.ms": "3600000" }), spec("plain")]);
      expect(made).toEqual(["created made with 3 partitions", "created plain with 1 partitions"]);
      expect(await admin.listTopics()).toEqual(expect.arrayContaining([`${prefix}made`, `${prefix}plain`]));
      expect(await kafka.partitionsOf("made")).toBe(3);
      expect(await configOf("made")).toEqual({ "retention.ms": "3600000" });
    });

    test("that are as they should be stay, and nothing is said", async () => {
      const specs = [spec("same", 2, { "retention.ms": "3600000" })];
      await kafka.ensureTopics(specs);
      expect(await kafka.ensureTopics(specs)).toEqual([]);
    });

    test("grow and never shrink", async () => {
      await kafka.ensureTopics([spec("small", 2), spec("large", 3)]);
      expect(await kafka.ensureTopics([spec("small", 4), spec("large", 1)])).toEqual(["grew small to 4 partitions"]);
      expect(await kafka.partitionsOf("small")).toBe(4);
      expect(await kafka.partitionsOf("large")).toBe(3);
    });

    test("get another configuration, it says which, and what an operator set besides stays", async () => {
      await kafka.ensureTopics([spec("tuned", 1, { "retention.ms": "3600000" }), spec("other", 1)]);
      const theirs = { name: "flush.ms", value: "60000" };
      await admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: driver.ConfigResourceTypes.TOPIC,
            name: `${prefix}tuned`,
            configEntries: [theirs, { name: "retention.ms", value: "1000000" }],
          },
        ],
      });
      const wanted = { "retention.ms": "7200000", "segment.ms": "600000" };
      const said = await kafka.ensureTopics([spec("tuned", 1, wanted), spec("other", 1)]);
      expect(said).toEqual(["set retention.ms=7200000, segment.ms=600000 of tuned"]);
      // A broker shows it a moment after the controller has taken it.
      await until("the broker shows it", async () => Object.hasOwn(await configOf("tuned"), "segment.ms"));
      expect(await configOf("tuned")).toEqual({ ...wanted, "flush.ms": "60000" });
    });

    test("that are not there have no number of partitions; one that is has", async () => {
      await kafka.ensureTopics([spec("there")]);
      expect(await Promise.all([kafka.partitionsOf("nowhere"), kafka.partitionsOf("there")])).toEqual([undefined, 1]);
    });

    test("a name that Kafka does not allow is an unknown topic", async () => {
      expect(await kafka.partitionsOf("no/such:name")).toBeUndefined();
    });

    test("a configuration that Kafka refuses is a permanent fault", async () => {
      const refused = kafka.ensureTopics([spec("refused", 1, { "retention.ms": "soon" })]);
      await expect(refused).rejects.toMatchObject({ name: "KafkaFault", kind: "refused" });
    });

    test("tell the offset after their last record", async () => {
      await kafka.ensureTopics([spec("counted", 2)]);
      await kafka.produce([1, 2, 3].map((number) => record("counted", String(number), { partition: 1 })));
      expect(await kafka.endOffsets("counted")).toEqual(
        new Map([
          [0, 0n],
          [1, 3n],
        ]),
      );
    });
  });

  test("topics are described as they are, and those that are not there are left out", async () => {
    await kafka.ensureTopics([spec("described", 3, { "retention.ms": "7200000" })]);
    const found = await kafka.describeTopics(["described", "nowhere"]);
    expect([...found.keys()]).toEqual(["described"]);
    expect(found.get("described")?.partitions).toBe(3);
    expect(found.get("described")?.config.get("retention.ms")).toBe("7200000");
    expect(found.get("described")?.config.get("cleanup.policy")).toBe("delete"); // by default
    expect(await kafka.describeTopics([])).toEqual(new Map());
  });

  test("what a group has committed is told, by partition, and nothing of who has committed nothing", async () => {
    await kafka.ensureTopics([spec("behind", 2), spec("untouched")]);
    await kafka.produce([1, 2, 3].map((number) => record("behind", String(number), { partition: 1 })));
    const { consumption, has } = reader(["behind"], { group: "slow" });
    await has(3);
    await consumption.commit([{ topic: "behind", partition: 1, offset: 2n }]);
    await consumption.close();
    const committed = await kafka.committedOffsets("slow", ["behind", "untouched"]);
    expect(committed.get("behind")).toEqual(new Map([[1, 2n]]));
    expect(committed.get("untouched") ?? new Map()).toEqual(new Map());
    const nobody = await kafka.committedOffsets("nobody", ["behind"]);
    expect([...nobody.values()].flatMap((each) => [...each])).toEqual([]);
    expect(await kafka.committedOffsets("slow", [])).toEqual(new Map());
  });

  describe("a record", () => {
    const logAppendTime = { "message.timestamp.type": "LogAppendTime" };

    test("comes out as it went in: key, value, headers, one given twice as a list", async () => {
      await kafka.ensureTopics([spec("trip", 2)]);
      const headers = {
        text: "ädä",
        bytes: Buffer.from([0, 255, 128]),
        empty: Buffer.alloc(0),
        twice: [Buffer.from("a"), Buffer.from("b")],
      };
      await kafka.produce([
        { topic: "trip", partition: 1, key: Buffer.from([255, 0]), value: Buffer.from([0, 1, 2]), headers },
        { topic: "trip", partition: 1, key: null, value: null, headers: {} },
      ]);
      const { consumption, records, has } = reader(["trip"]);
      await has(2);
      const place = {
        topic: "trip",
        partition: 1,
        timestamp: expect.any(Number) as number,
        producersTime: true, // as brokers have it by default
        bytes: expect.any(Number) as number,
      };
      expect(records).toEqual([
        {
          ...place,
          offset: 0n,
          key: Buffer.from([255, 0]),
          value: Buffer.from([0, 1, 2]),
          headers: { ...headers, text: Buffer.from("ädä") },
        },
        { ...place, offset: 1n, key: null, value: null, headers: {} },
      ]);
      await consumption.close();
    });

    test("goes to the partition of its key, the same each time", async () => {
      await kafka.ensureTopics([spec("keyed", 4)]);
      const keys = Array.from({ length: 40 }, (_, number) => Buffer.from(`key ${number % 10}`));
      await kafka.produce(keys.map((key) => record("keyed", String(key), { key })));
      const { consumption, records, has } = reader(["keyed"]);
      await has(40);
      const places = new Set(records.map((each) => `${each.key} ${each.partition}`));
      expect(places.size).toBe(10);
      expect(new Set(records.map((each) => each.partition)).size).toBeGreaterThan(1);
      await consumption.close();
    });

    test("carries the broker's time where the topic says so, whatever its producer's clock says", async () => {
      await kafka.ensureTopics([spec("brokers-time", 1, logAppendTime), spec("their-time")]);
      const before = Date.now();
      for (const topic of ["brokers-time", "their-time"])
        await foreign.send({ topic: prefix + topic, messages: [{ value: "x", timestamp: "1000" }] });
      const { consumption, records, has } = reader(["brokers-time", "their-time"]);
      await has(2);
      const time = new Map(records.map((each) => [each.topic, each.timestamp]));
      expect(time.get("their-time")).toBe(1000);
      expect(time.get("brokers-time")).toBeGreaterThanOrEqual(before);
      expect(time.get("brokers-time")).toBeLessThanOrEqual(Date.now());
      await consumption.close();
    });

    test("with headers that kafkajs cannot read right has bytes in them all the same, and can be sent on", async () => {
      await kafka.ensureTopics([spec("odd"), spec("odd-again")]);
      const headers = { none: null as never, constructor: "a", toString: ["b", "c"], plain: "d" };
      await withNullHeaders(() => foreign.send({ topic: `${prefix}odd`, messages: [{ value: "x", headers }] }));
      const { consumption, records, has } = reader(["odd", "odd-again"]);
      await has(1);
      await kafka.produce([{ ...record("odd-again", "x"), headers: records[0]!.headers as OutRecord["headers"] }]);
      await has(2);
      for (const each of records) {
        expect(new Map(Object.entries(each.headers))).toEqual(
          new Map<string, unknown>([
            ["constructor", Buffer.from("a")],
            ["toString", [Buffer.from("b"), Buffer.from("c")]],
            ["plain", Buffer.from("d")],
          ]),
        );
      }
      await consumption.close();
    });

    test("of a transaction that was aborted is not read; those before, beside and after it are", async () => {
      await kafka.ensureTopics([spec("transactions")]);
      const topic = `${prefix}transactions`;
      const producer = real.raw.producer({
        transactionalId: `${prefix}writer`,
        maxInFlightRequests: 1,
        idempotent: true,
      });
      await producer.connect();
      for (const outcome of ["commit", "abort", "abort", "commit"] as const) {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: [{ value: `${outcome} 1` }] });
        await kafka.produce([record("transactions", `beside ${outcome}`)]);
        await transaction.send({ topic, messages: [{ value: `${outcome} 2` }] });
        await transaction[outcome]();
      }
      await producer.disconnect();
      const { consumption, values, has } = reader(["transactions"]);
      await has(8);
      const committed = ["commit 1", "beside commit", "commit 2"];
      expect(values()).toEqual([...committed, "beside abort", "beside abort", ...committed]);
      await consumption.close();
    });

    test("goes to a partition that was added after its producer had learned of the others", async () => {
      await kafka.ensureTopics([spec("added", 1)]);
      await kafka.produce([record("added", "old", { partition: 0 })]);
      await admin.createPartitions({ topicPartitions: [{ topic: `${prefix}added`, count: 2 }] });
      await until("it is there", async () => (await kafka.partitionsOf("added")) === 2);
      const send = () => kafka.produce([record("added", "new", { partition: 1 })]);
      await until("it is taken", () => send().then(() => true)); // "unavailable" until then: worth another try
      expect((await kafka.endOffsets("added")).get(1)).toBe(1n);
    });

    test("tells the broker's time, where its topic takes that", async () => {
      await kafka.ensureTopics([spec("stamped", 1, logAppendTime), spec("unstamped")]);
      const appends: Append[] = [];
      const settings = { driver: driverName, brokers: real.brokers, clientId: "port", prefix };
      const telling = connectKafka({ ...settings, appended: (append) => appends.push(append) }, quiet);
      await telling.produce([record("unstamped", "x")]);
      expect(appends).toEqual([]);
      await telling.produce([record("stamped", "x")]);
      expect(appends).toHaveLength(1);
      const [{ sentAt, at, ackedAt }] = appends as [Append];
      expect([sentAt <= at, at <= ackedAt]).toEqual([true, true]);
      await telling.close();
    });

    test("that is too large for its topic is refused as too large; one that fits is taken", async () => {
      await kafka.ensureTopics([spec("narrow", 1, { "max.message.bytes": "10000" })]);
      await kafka.produce([record("narrow", "x".repeat(9000))]);
      const refused = kafka.produce([record("narrow", "x".repeat(11_000))]);
      await expect(refused).rejects.toMatchObject({ name: "KafkaFault", kind: "too-large" });
    });

    test("for a topic that is not there is refused as that", async () => {
      const refused = kafka.produce([record("nowhere", "x")]);
      await expect(refused).rejects.toMatchObject({ name: "KafkaFault", kind: "unknown-topic" });
    });
  });

  /**
   * kafkajs counts the bytes of a null header before it asks whether there are any; other producers send such headers
   * freely.
   */
  async function withNullHeaders<T>(run: () => Promise<T>): Promise<T> {
    const { byteLength } = Buffer;
    Buffer.byteLength = (value, encoding) => (value === null ? 0 : byteLength(value, encoding));
    try {
      return await run();
    } finally {
      Buffer.byteLength = byteLength;
    }
  }

  describe("the sender", () => {
    test("20 concurrent sends are 20 records, in order", async () => {
      await kafka.ensureTopics([spec("twenty")]);
      const sender = makeSender(kafka);
      const names = Array.from({ length: 20 }, (_, number) => `r${number}`);
      await Promise.all(names.map((name) => sender.send(record("twenty", name))));
      const { consumption, values, has } = reader(["twenty"]);
      await has(20);
      expect(values()).toEqual(names);
      expect(await kafka.endOffsets("twenty")).toEqual(new Map([[0, 20n]]));
      await consumption.close();
    });

    test("records that are too large together and not alone all arrive, and one that is too large alone takes none with it", async () => {
      await kafka.ensureTopics([spec("together", 1, { "max.message.bytes": "10000" })]);
      const sender = makeSender(kafka);
      const sizes = [4000, 4000, 4000, 11_000, 4000];
      const sent = await Promise.allSettled(sizes.map((size) => sender.send(record("together", "x".repeat(size)))));
      expect(sent.map(({ status }) => status)).toEqual([
        "fulfilled",
        "fulfilled",
        "fulfilled",
        "rejected",
        "fulfilled",
      ]);
      expect(await kafka.endOffsets("together")).toEqual(new Map([[0, 4n]]));
    });
  });

  test("brokers that are not there are unavailable; those that are answer", async () => {
    await kafka.ping();
    const nowhere = connectKafka({ driver: driverName, brokers: ["127.0.0.1:1"], clientId: "port", prefix }, quiet);
    await expect(nowhere.ping()).rejects.toMatchObject({ name: "KafkaFault", kind: "unavailable" });
    await expect(nowhere.produce([record("x", "x")])).rejects.toMatchObject({ kind: "unavailable" });
    await nowhere.close();
  });
});

test("with platformatic a partition that cannot be read any more holds up no other", async () => {
  const real = await realKafka("refused", "platformatic");
  await real.kafka.ensureTopics([spec("gone"), spec("stays")]);
  const { consumption, has } = real.reader(["gone", "stays"]);
  await real.kafka.produce([record("gone", "x"), record("stays", "x")]);
  await has(2);
  await real.admin.deleteTopics({ topics: [`${real.prefix}gone`] });
  for (let count = 3; count < 6; count += 1) {
    await real.kafka.produce([record("stays", "x")]);
    await has(count);
  }
  await consumption.close();
  await real.close();
});
