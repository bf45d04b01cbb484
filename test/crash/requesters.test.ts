// Requesters come, go, stop and die under load. Each reads one partition of the reply topic, in a group of its own:
// nobody's coming moves another's replies, and what each reads does not grow with their number. One that does not read,
// or is dead, costs the worker nothing.
import { expect, test } from "@jest/globals";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { connectClient } from "../../src/client/connect.ts";
import type { AuthClient } from "../../src/client/types.ts";
import { shared } from "../../src/kafka/assigner.ts";
import { type ConsumeOptions, connectKafka, type KafkaPort } from "../../src/kafka/kafka.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { crashFixture } from "../support/crash.ts";
import { testDriver } from "../support/driver.ts";
import { without } from "../support/faults.ts";
import { quiet } from "../support/logger.ts";
import { gauge } from "../support/metrics.ts";
import { end, launch } from "../support/processes.ts";
import { ownFolder } from "../support/stack.ts";
import { until } from "../support/until.ts";

const replyPartitions = 32;
const partitions = `auth.reply.test=${replyPartitions},*=2`;
const fixture = crashFixture("requesters", { workers: 1, users: 0, env: { AUTH_PARTITIONS: partitions } });

interface Requester {
  client: AuthClient;
  /** Of replies' values, read from Kafka, its own and others'. */
  readonly bytes: number;
  /** Outcomes of the calls it made. */
  answered: number;
  failed: string[];
  close(): Promise<void>;
}

/** @param how changes the way it consumes */
function requester(how: (options: ConsumeOptions) => Partial<ConsumeOptions> = () => ({})): Requester {
  const { env, prefix } = fixture.own;
  const brokers = env["AUTH_KAFKA_BROKERS"]!.split(",");
  const kafka = connectKafka({ driver: testDriver(), brokers, clientId: "counted", prefix }, quiet);
  let bytes = 0;
  const counted: KafkaPort = {
    ...kafka,
    consume: (options) =>
      kafka.consume({
        ...options,
        ...how(options),
        onRecords(records, ...where) {
          for (const { value } of records) bytes += value?.length ?? 0;
          options.onRecords(records, ...where);
        },
      }),
  };
  const schemas = connectRegistry({ url: env["AUTH_REGISTRY_URL"]! });
  const client = connectClient({ kafka: counted, schemas, name: "test", log: quiet });
  return {
    client,
    get bytes() {
      return bytes;
    },
    answered: 0,
    failed: [],
    async close() {
      await client.close(5000);
      await kafka.close();
    },
  };
}

/** Two calls at a time until told to stop; every call is counted. */
function calls(of: Requester, timeoutMs: number, awaitProgress: () => boolean): Promise<unknown> {
  const work = async (): Promise<void> => {
    while (awaitProgress()) {
      await of.client.request("auth.key.list", {}, { timeoutMs }).then(
        () => {
          of.answered += 1;
        },
        (error: unknown) => of.failed.push(String(error)),
      );
    }
  };
  return Promise.all([work(), work()]);
}

const comings = 3;

/**
 * Five places; in each one requester after the other comes, calls for a while, and goes as soon as its last call has
 * its outcome.
 */
async function comeAndGo(timeoutMs: number, how?: Parameters<typeof requester>[0]): Promise<Requester[]> {
  const all: Requester[] = [];
  const place = async (index: number): Promise<void> => {
    for (let n = 0; n < comings; n += 1) {
      const one = requester(how);
      all.push(one);
      let ends = performance.now() + 5000; // for whom nothing ever comes
      one.client.ready().then(
        () => {
          ends = performance.now() + 600 + 150 * index; // so that they come and go at different times
        },
        () => undefined,
      );
      await calls(one, timeoutMs, () => performance.now() < ends);
      await one.close();
    }
  };
  await Promise.all([0, 1, 2, 3, 4].map(place));
  return all;
}

test("five requesters come and go under load: no reply is lost", async () => {
  const all = await comeAndGo(20_000);
  const answered = all.reduce((sum, each) => sum + each.answered, 0);
  console.log(`${all.length} requesters came and went, five at a time: ${answered} calls, all answered`);
  expect(all.flatMap(({ failed }) => failed)).toEqual([]);
  expect(all.every((each) => each.answered > 0)).toBe(true);
}, 180_000);

test("requesters in one shared group lose replies as they come and go (the control)", async () => {
  const lost = await comeAndGo(1500, () => ({ group: "all-of-them", assign: shared(() => ({})) }));
  expect(lost.flatMap(({ failed }) => failed)).toContainEqual(expect.stringMatching(/./));
}, 180_000);

/** @returns bytes that a requester reads per call of its own, on average */
async function bytesPerCall(count: number, how?: Parameters<typeof requester>[0]): Promise<number> {
  const all = Array.from({ length: count }, () => requester(how));
  await Promise.all(all.map(({ client }) => client.ready()));
  const before = all.reduce((sum, { bytes }) => sum + bytes, 0);
  await Promise.all(all.map((each) => calls(each, 20_000, () => each.answered + each.failed.length < 50)));
  const read = all.reduce((sum, { bytes }) => sum + bytes, 0) - before;
  const answered = all.reduce((sum, each) => sum + each.answered, 0);
  await Promise.all(all.map((each) => each.close()));
  expect(all.flatMap(({ failed }) => failed)).toEqual([]);
  return read / answered;
}

test("what a requester reads stays flat with the number of requesters", async () => {
  const alone = await bytesPerCall(1);
  const five = await bytesPerCall(5);
  const everything = { ...shared(() => ({})) };
  const sharing = await bytesPerCall(5, () => ({ assign: everything }));
  const figures = [alone, five, sharing].map(Math.round);
  console.log(
    `bytes read per call: ${figures[0]} alone, ${figures[1]} with five, ${figures[2]} where each reads all partitions`,
  );
  // Five on 32 partitions: 1.1 times is expected, as two may meet on one; 2.3 would be four pairs.
  expect(five / alone).toBeLessThan(2.3);
  expect(sharing / alone).toBeGreaterThan(4); // the control
}, 180_000);

const rss = (worker: string): Promise<number> => gauge(fixture.own.http[worker]!, "process_resident_memory_bytes");

/** Requests whose replies nobody ever reads: their requester is dead, its partition is not. */
async function requestsOfTheDead(count: number): Promise<void> {
  const value = await emptyRequest();
  for (let n = 0; n < count; n += 100) {
    await fixture.fleet.kafka.produce(
      Array.from({ length: 100 }, (_, index) => ({
        topic: "auth.key.list",
        key: null,
        value,
        headers: {
          kafka_correlationId: `dead-${n + index}-${"x".repeat(22)}`,
          kafka_replyTopic: "auth.reply.test",
          kafka_replyPartition: String((n + index) % replyPartitions),
        },
      })),
    );
  }
}

/** A request without a field: the header of the wire format and nothing else. */
async function emptyRequest(): Promise<Buffer> {
  const registry = connectRegistry({ url: fixture.own.env["AUTH_REGISTRY_URL"]! });
  const header = Buffer.alloc(5);
  header.writeInt32BE((await registry.idOf("auth.key.list-value", commandSchemas["auth.key.list"].request))!, 1);
  return header;
}

const settled = (worker: string) =>
  until("nothing is in flight", async () => (await gauge(fixture.own.http[worker]!, "auth_requests_in_flight")) === 0);

interface Figures {
  answered: number;
  failed: string[];
}

/** @returns figures of the process as they come */
function startRequester(name: string) {
  const child = launch(["100"], {
    env: fixture.own.env,
    folder: ownFolder(name),
    script: "support/requester.ts",
  });
  fixture.onStop(() => end(child, "SIGKILL"));
  let figures: Figures = { answered: 0, failed: [] };
  child.stdout!.on("data", (chunk: Buffer) => {
    const line = chunk.toString().trim().split("\n").at(-1)!;
    if (line.startsWith("{")) figures = JSON.parse(line) as Figures;
  });
  return { child, figures: () => figures };
}

/** @returns how long 100 calls of somebody else took, one after the other: the middle one and the longest, ms */
async function othersCall(): Promise<{ middle: number; longest: number }> {
  const times: number[] = [];
  for (let n = 0; n < 100; n += 1) {
    const began = performance.now();
    await fixture.fleet.client.request("auth.key.list", {}, { timeoutMs: 20_000 });
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return { middle: Math.round(times[50]!), longest: Math.round(times.at(-1)!) };
}

const megabyte = 2 ** 20;
const deadRequests = 2000;
/** Growth that is no leak: V8 takes what it likes. The control's worker keeps 100 kB of each reply. */
const flat = 96 * megabyte;

test("a requester that stops reading, and one that dies: the worker's memory is flat, others are served, and the first misses no reply when it goes on", async () => {
  const { child, figures } = startRequester("slow");
  await until("it has its answers", () => figures().answered > 1000);
  await requestsOfTheDead(deadRequests); // warm: V8's heap has grown to what this takes
  await settled("worker-1");
  const before = await rss("worker-1");
  const usual = await othersCall();
  child.kill("SIGSTOP"); // with 100 calls in flight
  const stopped = figures().answered;
  await requestsOfTheDead(deadRequests);
  const slow = await othersCall();
  child.kill("SIGCONT");
  await until("it goes on", () => figures().answered > stopped + 500);
  expect(figures().failed).toEqual([]);
  await end(child, "SIGKILL");
  await requestsOfTheDead(deadRequests);
  const dead = await othersCall();
  await settled("worker-1");
  const grown = (await rss("worker-1")) - before;
  const said = [usual, slow, dead].map(({ middle, longest }) => `${middle} (${longest})`).join(", ");
  const memory = `${Math.round(before / megabyte)} MB and ${Math.round(grown / megabyte)} more after ${2 * deadRequests} replies to nobody`;
  console.log(
    `others' calls before, beside a stopped and beside a dead requester took ${said} ms; the worker had ${memory}`,
  );
  expect(grown).toBeLessThan(flat);
}, 180_000);

test("a worker that keeps replies grows in memory (the control)", async () => {
  await Promise.all([
    fixture.own.start("worker", "worker-2", {}, without("replies-kept")),
    end(fixture.own.processes.get("worker-1")!),
  ]);
  const before = await rss("worker-2");
  await requestsOfTheDead(deadRequests);
  await settled("worker-2");
  await until("it has grown", async () => (await rss("worker-2")) - before > flat);
}, 180_000);
