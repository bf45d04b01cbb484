// The port against a real Kafka: consumers in groups.
import type { Admin } from "kafkajs";
import { type AssignedPartition, makeAssignedPartitions } from "../../src/bus/assigned-partitions.ts";
import { smallFetch } from "../../src/bus/back-pressure.ts";
import { shared, single } from "../../src/kafka/assigner.ts";
import { type Consumption, connectKafka, type KafkaPort } from "../../src/kafka/kafka.ts";
import { quiet } from "../support/logger.ts";
import { until } from "../support/until.ts";
import {
  driversOfRun,
  everyDriver,
  makeReader,
  type Reader,
  type RealKafka,
  realKafka,
  record,
  spec,
} from "./real-kafka.ts";

describe.each(driversOfRun)("with %s", (driverName) => {
  let real: RealKafka;
  let kafka: KafkaPort;
  let admin: Admin;
  let prefix: string;

  beforeAll(async () => {
    real = await realKafka("groups", driverName);
    ({ kafka, admin, prefix } = real);
  });
  afterAll(() => real.close());

  const reader: RealKafka["reader"] = (...given) => real.reader(...given);

  describe("a group", () => {
    test("goes on where it committed; another begins at its start, or at what is new", async () => {
      await kafka.ensureTopics([spec("resumed")]);
      await kafka.produce(["a", "b", "c", "d"].map((value) => record("resumed", value)));
      const first = reader(["resumed"], { group: "resumed" });
      await first.has(4);
      await first.consumption.commit([{ topic: "resumed", partition: 0, offset: 2n }]);
      await first.consumption.close();
      const [again, fresh, late] = [
        reader(["resumed"], { group: "resumed" }),
        reader(["resumed"]),
        reader(["resumed"], { from: "latest" }),
      ];
      await Promise.all([again.has(2), fresh.has(4), late.consumption.joined]);
      await until("the end is read", async () => {
        await kafka.produce([record("resumed", "new")]);
        return late.records.length > 0;
      });
      expect(again.values().slice(0, 2)).toEqual(["c", "d"]);
      expect(fresh.values().slice(0, 4)).toEqual(["a", "b", "c", "d"]);
      expect(new Set(late.values())).toEqual(new Set(["new"]));
      await Promise.all([again, fresh, late].map(({ consumption }) => consumption.close()));
    });

    test("gives each member only what it subscribed to, and every partition to one", async () => {
      await kafka.ensureTopics([spec("old", 4), spec("new", 3)]);
      const group = "two-versions";
      const older = reader(["old"], { group });
      await older.consumption.joined;
      const newer = reader(["old", "new"], { group });
      await newer.consumption.joined;
      const last = (of: typeof older, topic: string) => of.assigned.at(-1)?.get(topic) ?? [];
      await until("both have their share", () => last(older, "old").length === 2 && last(newer, "old").length === 2);
      expect([...last(older, "old"), ...last(newer, "old")].sort()).toEqual([0, 1, 2, 3]);
      expect([last(older, "new"), last(newer, "new")]).toEqual([[], [0, 1, 2]]);
      const all = [0, 1, 2, 3].map((partition) => record("old", `old ${partition}`, { partition }));
      await kafka.produce([...all, ...[0, 1, 2].map((partition) => record("new", `new ${partition}`, { partition }))]);
      await until("all are read", () => older.records.length + newer.records.length >= 7);
      expect(older.values().sort()).toEqual(
        last(older, "old")
          .map((partition) => `old ${partition}`)
          .sort(),
      );
      expect([...older.values(), ...newer.values()].sort()).toEqual([
        "new 0",
        "new 1",
        "new 2",
        "old 0",
        "old 1",
        "old 2",
        "old 3",
      ]);
      await older.consumption.close();
      await until("the other has it all", () => last(newer, "old").length === 4);
      await newer.consumption.close();
    });

    test("of one reads the one partition it asked for", async () => {
      await kafka.ensureTopics([spec("lane", 3)]);
      const { consumption, values, assigned } = reader(["lane"], { from: "latest", assign: single("lane", () => 1) });
      await consumption.joined;
      expect(assigned.at(-1)).toEqual(new Map([["lane", [1]]]));
      await until("its partition is read", async () => {
        await kafka.produce([0, 1, 2].map((partition) => record("lane", String(partition), { partition })));
        return values().length >= 3;
      });
      expect(new Set(values())).toEqual(new Set(["1"]));
      await consumption.close();
    });

    test("a paused partition is not read until it is resumed; the others are", async () => {
      await kafka.ensureTopics([spec("taps", 2)]);
      const { consumption, records, has } = reader(["taps"]);
      await consumption.joined;
      const both = (value: string) => [0, 1].map((partition) => record("taps", value, { partition }));
      await kafka.produce(both("before"));
      await has(2);
      consumption.pause({ topic: "taps", partition: 0 });
      await kafka.produce(both("paused"));
      await has(3);
      await kafka.produce([record("taps", "later", { partition: 1 })]);
      await has(4); // a further fetch, which would have brought the paused partition's record too
      expect(records.slice(2).map((each) => [each.partition, String(each.value)])).toEqual([
        [1, "paused"],
        [1, "later"],
      ]);
      consumption.resume({ topic: "taps", partition: 0 });
      await has(5);
      expect(records.filter((each) => each.partition === 0).map((each) => String(each.value))).toEqual([
        "before",
        "paused",
      ]);
      await consumption.close();
    });

    test("reads batches that are larger than a fetch may bring, of every partition", async () => {
      await kafka.ensureTopics([spec("large", 3)]);
      const partitions = [0, 1, 2];
      const third = "x".repeat(smallFetch.partitionBytes); // three of them are one batch, larger than the whole fetch may be of one partition
      const batch = partitions.flatMap((partition) => [1, 2, 3].map(() => record("large", third, { partition })));
      await kafka.produce(batch);
      await kafka.produce(partitions.map((partition) => record("large", "after", { partition })));
      const { consumption, records, has } = reader(["large"], { fetch: smallFetch });
      await has(12);
      // A member that was slow to say that it lives reads a batch again: each offset counts once.
      const sizes = (partition: number) => [
        ...new Map(
          records
            .filter((each) => each.partition === partition)
            .map((each) => [each.offset, each.value?.length] as const),
        ).values(),
      ];
      for (const partition of partitions)
        expect(sizes(partition)).toEqual([third.length, third.length, third.length, 5]);
      await consumption.close();
    });

    test("has nothing paused after a rebalance, unless it is paused again", async () => {
      await kafka.ensureTopics([spec("pauses", 2)]);
      const first = reader(["pauses"], { group: "pauses" });
      await first.consumption.joined;
      for (const partition of [0, 1]) first.consumption.pause({ topic: "pauses", partition });
      const second = reader(["pauses"], { group: "pauses" });
      await until("they share", () =>
        [first, second].every(({ assigned }) => assigned.at(-1)?.get("pauses")?.length === 1),
      );
      const [left = 0] = first.assigned.at(-1)!.get("pauses")!;
      await kafka.produce([record("pauses", "stays", { partition: left })]);
      await first.has(1);
      await second.consumption.close();
      await until("the first has both", () => first.assigned.at(-1)?.get("pauses")?.length === 2);
      await kafka.produce([record("pauses", "comes back", { partition: 1 - left })]);
      await until("that is read as well", () => first.values().includes("comes back"));
      expect(new Set(first.values())).toEqual(new Set(["stays", "comes back"])); // what is not committed may be read twice
      await first.consumption.close();
    });

    test("is shared with a member of the other driver: what one has committed the other goes on from, whoever leads and leaves", async () => {
      await kafka.ensureTopics([spec("mixed", 4)]);
      const [, other] = [driverName, ...everyDriver.filter((each) => each !== driverName)];
      const second = connectKafka({ driver: other, brokers: real.brokers, clientId: "other", prefix }, quiet);
      const held = ({ assigned }: Reader) => assigned.at(-1)?.get("mixed")?.length ?? 0;
      const share = async (...shares: [Reader, number][]): Promise<void> => {
        const there = () => shares.every(([each, wanted]) => held(each) === wanted);
        await until(`shares of ${shares.map(([, wanted]) => wanted).join()}`, there);
      };
      const readers: Reader[] = [];
      const join = (by: KafkaPort): Reader => {
        const made = makeReader(by, ["mixed"], { group: "mixed" });
        readers.push(made);
        return made;
      };
      const sent: string[] = [];
      const read = (): string[] => readers.flatMap((each) => each.values());
      /** Four more records are read, one of each partition, and committed by whoever has them. */
      const round = async (): Promise<void> => {
        const values = [0, 1, 2, 3].map((partition) => `${sent.length / 4} on ${partition}`);
        await kafka.produce(values.map((value, partition) => record("mixed", value, { partition })));
        sent.push(...values);
        await until("all are read", () => new Set(read()).size === sent.length);
        for (const { consumption, records, assigned } of readers) {
          const last = (assigned.at(-1)?.get("mixed") ?? []).flatMap(
            (partition) => records.findLast((each) => each.partition === partition) ?? [],
          );
          await consumption.commit(
            last.map(({ topic, partition, offset }) => ({ topic, partition, offset: offset + 1n })),
          );
        }
      };
      const leave = async (one: Reader): Promise<void> => {
        await one.consumption.close();
        one.assigned.push(new Map());
      };

      const first = join(kafka);
      await share([first, 4]);
      await round();
      const guest = join(second);
      await share([first, 2], [guest, 2]);
      await round();
      await leave(first);
      await share([guest, 4]);
      await round();
      const again = join(kafka);
      await share([guest, 2], [again, 2]);
      await round();
      await leave(guest);
      await share([again, 4]);
      await round();
      expect(new Set(read())).toEqual(new Set(sent));
      // Rounds that were committed before somebody joined are not read by them.
      const rounds = (of: Reader) => of.values().map((value) => Number(value.split(" ")[0]));
      expect([Math.min(...rounds(guest)), Math.min(...rounds(again))]).toEqual([1, 3]);
      await again.consumption.close();
      await second.close();
    });

    /**
     * A member that commits as a worker does, when it is told to.
     * @param forgets whether it gives up what it has lost
     */
    function member(by: KafkaPort, topic: string, forgets: boolean) {
      const before: Record<string, number[]> = {};
      const held = new Map<number, AssignedPartition>();
      const holdings = makeAssignedPartitions({
        commit: (offsets) => consumption.commit(offsets),
        everyMs: 60_000,
        failed: () => undefined,
      });
      const consumption: Consumption = by.consume({
        group: topic,
        topics: [topic],
        from: "earliest",
        assign: shared(() => holdings.byTopic()),
        onAssigned(assignment) {
          for (const [name, partitions] of assignment)
            before[name] = forgets ? partitions : [...(before[name] ?? []), ...partitions];
          if (forgets || assignment.size > 0) holdings.assign(new Map(Object.entries(before)));
        },
        onRecords(records, place, end) {
          const holding = holdings.receive(place, end);
          if (holding === undefined) return;
          held.set(place.partition, holding);
          for (const { offset } of records) holding.offsets.add(offset);
        },
        maxWaitMs: 50,
      });
      const close = async (): Promise<void> => {
        holdings.stop();
        await consumption.close();
      };
      return { holdings, held, close };
    }

    test.each([
      ["what it finishes of a lost partition is never committed", true, "5"],
      ["where it does not forget what it has lost, the next holder's commit is taken back", false, "1"],
    ])("goes on with a new holder: %s", async (_what, forgets, expected) => {
      const topic = forgets ? "lost" : "kept";
      const second = connectKafka({ driver: driverName, brokers: real.brokers, clientId: "other", prefix }, quiet);
      await kafka.ensureTopics([spec(topic, 2)]);
      await kafka.produce([1, 2, 3, 4, 5].map((value) => record(topic, String(value), { partition: 1 })));
      const committed = async (): Promise<string | undefined> => {
        const [found] = await admin.fetchOffsets({ groupId: prefix + topic, topics: [prefix + topic] });
        return found!.partitions.find(({ partition }) => partition === 1)?.offset;
      };
      const has = (of: ReturnType<typeof member>) => until("it has all", () => of.held.get(1)?.offsets.size === 5);
      const first = member(kafka, topic, forgets);
      await has(first);
      const next = member(second, topic, true);
      await has(next);
      for (let offset = 0n; offset < 5n; offset += 1n) next.held.get(1)!.offsets.finish(offset);
      await next.holdings.commit();
      expect(await committed()).toBe("5");
      if (forgets) await until("the first one knows", () => first.held.get(1)!.lost);
      first.held.get(1)!.offsets.finish(0n);
      await first.holdings.commit();
      expect(await committed()).toBe(expected);
      await Promise.all([first.close(), next.close()]);
      await second.close();
    });

    test("is left at once by a member that closes, also by one that has only begun to join", async () => {
      await kafka.ensureTopics([spec("left")]);
      const members = async () => (await admin.describeGroups([`${prefix}left`])).groups[0]!.members.length;
      const joined = reader(["left"], { group: "left" });
      await joined.consumption.joined;
      expect([await members(), joined.consumption.healthy]).toEqual([1, true]);
      await joined.consumption.close();
      expect([await members(), joined.consumption.healthy]).toEqual([0, false]);
      const begun = reader(["left"], { group: "left" });
      await begun.consumption.close();
      expect([await members(), begun.consumption.healthy]).toEqual([0, false]);
    });

    test("a commit that nobody can take does not look like one", async () => {
      await kafka.ensureTopics([spec("closed")]);
      const { consumption } = reader(["closed"]);
      const offsets = [{ topic: "closed", partition: 0, offset: 1n }];
      await consumption.joined;
      await consumption.commit(offsets);
      await consumption.close();
      await expect(consumption.commit(offsets)).rejects.toMatchObject({ name: "KafkaFault", kind: "unavailable" });
    });
  });
});
