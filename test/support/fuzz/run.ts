// A run: sends records to a fleet, beside honest logins, and compares what became of each with what had to.
import type { ChildProcess } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { shared } from "../../../src/kafka/assigner.ts";
import type { InRecord } from "../../../src/kafka/records.ts";
import { Refusal } from "../../../src/protocol/errors.ts";
import type { Fleet } from "../fleet.ts";
import type { TestFleet } from "../test-fleet.ts";
import { until } from "../until.ts";
import type { Confirmed } from "../users.ts";
import type { Watched } from "../watch.ts";
import { makeSender } from "./batches.ts";
import type { FuzzRecord, RecordOptions } from "./draft.ts";
import type { Material } from "./material.ts";
import type { Prepared } from "./prepare.ts";
import { randomOf } from "./random.ts";
import { recordMaker } from "./records.ts";

export interface RunOptions extends Omit<RecordOptions, "run"> {
  seed: number;
  records: number;
  honestLogins: number;
  /** A batch that cannot be read, after so many others. */
  unreadableEvery: number;
  bombBytes: number;
  /** After the last record, until all is answered and read. */
  endWithinMs: number;
  /** How much larger a worker may be at its end, and for a moment, than it was at its start, MiB. */
  mostGrown: { atEnd: number; meanwhile: number };
  /** So many of all records, as shares, must pass Avro and the seal: else the run shows little. */
  leastReached: { decode: number; open: number };
}

export interface Outcome {
  /** Sentences, each about something that is not as it must be; the first few of each kind. */
  faults: string[];
  records: number;
  /** How many of them got how far; the honest logins are not counted. */
  reached: { decode: number; open: number; handler: number; commit: number };
  /** How many replies had which code. */
  codes: Record<string, number>;
  /** By worker. */
  workers: Record<string, { rssAtStart: number; rssAtMost: number; rssAtEnd: number; heldMs: number; lateMs: number }>;
  ms: number;
  endedWithinMs: number;
}

/** So many are on their way at a time: what is measured is not a backlog. */
const mostOpen = 2000;
/** So many are made at a time; those of one partition are a batch. */
const windowOf = 1000;
const sampleMs = 250;

/** What is remembered of a record: not its bytes, of which a long run has gigabytes. */
interface Sent extends Omit<FuzzRecord, "key" | "value" | "headers"> {
  index: number;
  offset: bigint;
}

export async function fuzz(
  fleet: Fleet,
  held: TestFleet,
  { material, honest }: Prepared,
  options: RunOptions,
): Promise<Outcome> {
  const random = randomOf(options.seed);
  const maker = recordMaker(random, material, { ...options, run: randomBytes(4) });
  const sender = await makeSender({
    ...options,
    random,
    brokers: fleet.env["AUTH_KAFKA_BROKERS"]!.split(","),
    prefix: fleet.prefix,
  });
  const book = makeBook(material.replyTopic);
  const reading = await readFromNow(held, material.replyTopic, book);
  const watch = watchWorkers(fleet, options);
  await watch.begin();
  const began = performance.now();
  const logins = loginsBeside(held, honest, options);
  try {
    let batches = 0;
    for (let index = 0; index < options.records; ) {
      const count = Math.min(windowOf, options.records - index);
      const made = Array.from({ length: count }, (_, at) => ({ ...maker.next(index + at), index: index + at }));
      index += count;
      for (const group of Map.groupBy(made, ({ topic, partition }) => `${topic}/${partition}`).values()) {
        const first = await sender.send(group);
        for (const [at, { key, value, headers, ...record }] of group.entries())
          book.sent({ ...record, offset: first + BigInt(at) });
        batches += 1;
        if (batches % options.unreadableEvery > 0) continue;
        const { topic, partition } = group[0]!;
        book.unreadable({ topic, partition, ...(await sender.sendUnreadable(topic, partition)) });
      }
      if (book.open() > mostOpen) await until("some were answered", () => book.open() <= mostOpen, 60_000);
    }
    const sentAt = performance.now();
    const isDone = async (): Promise<boolean> => book.open() === 0 && (await isRead(held, material));
    await until("all is read, and what is to be answered is", isDone, options.endWithinMs).catch(() => undefined);
    const endedWithinMs = performance.now() - sentAt;
    const unread = (await isRead(held, material)) ? [] : ["offsets are not at the end of every partition"];
    const notAnswered = await logins;
    await settled();
    const workers = await watch.end();
    const beside = options.honestLogins - notAnswered.length;
    const reached = Object.fromEntries(
      stages.map((runner) => [runner, workers.reached[runner] - beside]),
    ) as Outcome["reached"];
    return {
      faults: [...tooFew(reached, options), ...unread, ...notAnswered, ...book.faults(), ...workers.faults],
      records: options.records,
      reached,
      codes: book.codes(),
      workers: workers.figures,
      ms: performance.now() - began,
      endedWithinMs,
    };
  } finally {
    await Promise.all([sender.close(), reading.close()]);
    watch.stop();
  }
}

function tooFew(reached: Outcome["reached"], { records, leastReached }: RunOptions): string[] {
  return (["decode", "open"] as const)
    .filter((runner) => reached[runner] < leastReached[runner] * records)
    .map((runner) => `only ${reached[runner]} of ${records} records reached ${runner}`);
}

/** A second reply, or a dead letter beside one, would come soon. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300));

async function isRead(held: TestFleet, { requests, legacy }: Material): Promise<boolean> {
  const isReadBy = async (group: string, topics: string[]): Promise<boolean> => {
    const committed = await held.kafka.committedOffsets(group, topics);
    const ends = await Promise.all(topics.map(async (topic) => [topic, await held.kafka.endOffsets(topic)] as const));
    return ends.every(([topic, partitions]) =>
      [...partitions].every(([partition, end]) => (committed.get(topic)?.get(partition) ?? 0n) >= end),
    );
  };
  const names = [requests, legacy].map((topics) => topics.map(({ topic }) => topic as string));
  return (await isReadBy("auth", names[0]!)) && (await isReadBy("auth_service", names[1]!));
}

async function readFromNow(held: TestFleet, replyTopic: string, book: Book) {
  const topics = [replyTopic, "auth.dead-letter"];
  const next = new Map<string, bigint>();
  for (const topic of topics)
    for (const [partition, end] of await held.kafka.endOffsets(topic)) next.set(`${topic}/${partition}`, end);
  /** A reader that was out of its group for a moment reads anew from the beginning. */
  const isNew = ({ topic, partition, offset }: InRecord): boolean => {
    const id = `${topic}/${partition}`;
    if (offset < next.get(id)!) return false;
    next.set(id, offset + 1n);
    return true;
  };
  return held.kafka.consume({
    group: `fuzz.${randomBytes(6).toString("hex")}`,
    topics,
    from: "earliest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords: (records) => {
      for (const record of records.filter(isNew)) (record.topic === replyTopic ? book.reply : book.letter)(record);
    },
  });
}

type Book = ReturnType<typeof makeBook>;

const shownOfAKind = 5;
/** Faults of ours, where nothing is away. */
const neverGiven = new Set(["INTERNAL", "UNAVAILABLE", "NO_WORKERS"]);

/** What was sent, and what came of it. */
function makeBook(replyTopic: string) {
  const expected = new Map<string, Sent>();
  const places = new Map<string, Sent>();
  const passedOver = new Map<string, string>();
  const replies = new Map<string, string[]>();
  const letters = new Map<string, number>();
  const codes: Record<string, number> = {};
  let waited = 0;
  const place = (topic: string, partition: number | string, offset: bigint | string): string =>
    `${topic}/${partition}/${offset}`;
  const header = ({ headers }: InRecord, name: string): string => String(headers[name] ?? "");

  const letter = (record: InRecord): void => {
    if (record.headers["auth-dlq-topic"] === undefined) return; // a test's own probe
    const of = (name: string): string => header(record, `auth-dlq-${name}`);
    const at = place(of("topic"), of("partition"), of("offset"));
    if (!letters.has(at) && (places.get(at)?.expects === "letter" || passedOver.has(at))) waited -= 1;
    letters.set(at, (letters.get(at) ?? 0) + 1);
  };
  const wrongMacs: string[] = [];
  /** What a reply says that has another code than it should. */
  const said = new Map<string, string>();
  /** There must be none where the request was not opened, and the right one where it was carried out. */
  const checkMac = (record: InRecord, sent: Sent | undefined, known: string): void => {
    const given = header(record, "auth-reply-mac");
    if (sent === undefined || (given === "" && header(record, "auth-outcome") !== "ok")) return;
    const isSealed = sent.topic !== "auth.key.list";
    if (isSealed ? given !== macOf(record, sent.replySecret) : given !== "")
      wrongMacs.push(`${known} has the mac ${given}`);
  };
  const reply = (record: InRecord): void => {
    const id = record.headers["kafka_correlationId"];
    const trace = header(record, "traceparent").slice(3, 35);
    const known = Buffer.isBuffer(id) ? id.toString("hex") : trace;
    const code = header(record, "auth-outcome");
    const sent = expected.get(known);
    checkMac(record, sent, known);
    if (sent?.codes?.includes(code) === false || neverGiven.has(code)) said.set(known, textIn(record));
    if (!replies.has(known) && expected.get(known)?.expects === "reply") waited -= 1;
    replies.set(known, [...(replies.get(known) ?? []), code]);
    codes[code] = (codes[code] ?? 0) + 1;
  };

  return {
    /** Sent, and neither answered nor buried. */
    open: () => waited,
    codes: () => Object.fromEntries(Object.entries(codes).sort(([, a], [, b]) => b - a)),
    sent(record: Sent) {
      places.set(place(record.topic, record.partition, record.offset), record);
      if (record.replyId !== "") expected.set(record.replyId, record);
      if (record.expects === "nothing") return;
      const came =
        record.expects === "reply"
          ? replies.has(record.replyId)
          : letters.has(place(record.topic, record.partition, record.offset));
      if (!came) waited += 1;
    },
    unreadable({ topic, partition, first, what }: { topic: string; partition: number; first: bigint; what: string }) {
      const at = place(topic, partition, first);
      passedOver.set(at, what);
      if (!letters.has(at)) waited += 1;
    },
    reply,
    letter,
    faults(): string[] {
      const kinds = new Map<string, string[]>();
      const say = (kind: string, sentence: string): void =>
        void kinds.set(kind, [...(kinds.get(kind) ?? []), sentence]);
      for (const [at, sent] of places) {
        const name = `${sent.index} at ${at} (${sent.what})`;
        const came = sent.replyId === "" ? [] : (replies.get(sent.replyId) ?? []);
        const buried = letters.get(at) ?? 0;
        if (came.length !== (sent.expects === "reply" ? 1 : 0))
          say("replies", `${name} has ${came.length} replies: ${came.join()}`);
        if (buried !== (sent.expects === "letter" ? 1 : 0)) say("dead letters", `${name} has ${buried} dead letters`);
        for (const code of came) {
          const sentence = `${name} is ${code}: ${said.get(sent.replyId)}`;
          if (neverGiven.has(code)) say(code, sentence);
          else if (sent.codes !== undefined && came.length === 1 && !isOneOf(sent.codes, code)) say("codes", sentence);
        }
      }
      for (const [at, what] of passedOver)
        if (letters.get(at) !== 1) say("passed over", `${at} (${what}) has ${letters.get(at) ?? 0} dead letters`);
      for (const at of letters.keys())
        if (!places.has(at) && !passedOver.has(at)) say("strange letters", `a dead letter of ${at}`);
      for (const id of replies.keys())
        if (!expected.has(id)) say("strange replies", `a reply on ${replyTopic} to ${id.slice(0, 80)}`);
      return [...kinds].flatMap(([kind, sentences]) => [
        `${kind}: ${sentences.length}`,
        ...sentences.slice(0, shownOfAKind),
      ]);
    },
  };
}

const textIn = ({ value }: InRecord): string =>
  String(value?.toString("latin1"))
    .replace(/[^\x20-\x7e]+/g, " ")
    .slice(0, 200);

/** HMAC-SHA-256 over reply topic, correlation id, code and value, each behind its length in four bytes. */
function macOf({ topic, headers, value }: InRecord, secret: Buffer): string {
  const mac = createHmac("sha256", secret);
  for (const part of [topic, headers["kafka_correlationId"] ?? "", headers["auth-outcome"] ?? "", value ?? ""]) {
    const bytes = Buffer.from(part as Buffer);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    mac.update(length).update(bytes);
  }
  return mac.digest("base64url");
}

/** A fleet that has too much to do may say so to anybody. */
const isOneOf = (codes: readonly string[], code: string): boolean =>
  codes.includes(code) || ["OVERLOADED", "THROTTLED", "DEADLINE_EXCEEDED"].includes(code);

/** Each asks again while it is told that there is too much to do, as clients do. @returns those that were not let in */
async function loginsBeside(
  held: TestFleet,
  honest: Confirmed[],
  { honestLogins, records }: RunOptions,
): Promise<string[]> {
  const faults: string[] = [];
  const pause = Math.max(5, Math.min(200, records / honestLogins));
  const one = async ({ login, password }: Confirmed): Promise<void> => {
    const end = performance.now() + 30_000;
    for (;;) {
      try {
        await held.client.request("auth.session.login", { login, password, rotating: true });
        return;
      } catch (error) {
        const busy = error instanceof Refusal && ["OVERLOADED", "THROTTLED"].includes(error.code);
        if (!busy || performance.now() > end) return void faults.push(`an honest login: ${String(error)}`);
        await new Promise((resolve) => setTimeout(resolve, (error as Refusal).retryAfterMs ?? 100));
      }
    }
  };
  const all: Promise<void>[] = [];
  for (let count = 0; count < honestLogins; count += 1) {
    all.push(one(honest[count % honest.length]!));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  await Promise.all(all);
  return faults;
}

const mostHeldMs = 250;
const stages = ["decode", "open", "handler", "commit"] as const;

/** What a process says of itself (watch.ts). @throws Error where it ends meanwhile */
async function ask(child: ChildProcess): Promise<Watched> {
  const asking = new AbortController();
  const giveUp = (): void => asking.abort();
  child.once("disconnect", giveUp);
  try {
    const said = once(child, "message", { signal: asking.signal });
    child.send("watch", (error) => error && giveUp());
    return ((await said) as [Watched])[0];
  } finally {
    child.off("disconnect", giveUp);
  }
}

/** What the workers say of themselves, and whether they are the same ones at the end. */
function watchWorkers(fleet: Fleet, { mostGrown }: RunOptions) {
  const workers = [...fleet.processes].filter(([name]) => name.startsWith("worker"));
  const figures: Outcome["workers"] = {};
  const counts = new Map<string, Record<string, number>>();
  const countsBefore = new Map<string, Record<string, number>>();
  let timer: NodeJS.Timeout | undefined;
  const sample = async (): Promise<void> => {
    for (const [name, said] of await Promise.all(
      workers.map(async ([name, child]) => [name, await ask(child)] as const),
    )) {
      const { rss, heldMs, lateMs } = said;
      figures[name] ??= { rssAtStart: rss, rssAtMost: rss, rssAtEnd: rss, heldMs: 0, lateMs: 0 };
      const own = figures[name];
      own.rssAtMost = Math.max(own.rssAtMost, rss);
      own.rssAtEnd = rss;
      own.heldMs = Math.max(own.heldMs, heldMs);
      own.lateMs = Math.max(own.lateMs, lateMs);
      counts.set(name, said.counts);
    }
  };
  return {
    async begin() {
      await sample();
      for (const own of Object.values(figures)) own.heldMs = own.lateMs = 0;
      for (const [name, own] of counts) countsBefore.set(name, own);
      let isAsking = false;
      timer = setInterval(() => {
        if (isAsking) return;
        isAsking = true;
        void sample()
          .catch(() => undefined)
          .finally(() => {
            isAsking = false;
          });
      }, sampleMs);
    },
    stop: () => clearInterval(timer),
    async end() {
      clearInterval(timer);
      await sample().catch(() => undefined); // of one that has ended, which is told below
      const faults = workers.flatMap(([name, child]) => {
        const { heldMs, rssAtStart, rssAtEnd, rssAtMost } = figures[name]!;
        const grown = (to: number): string => `${name} grew from ${Math.round(rssAtStart)} to ${Math.round(to)} MiB`;
        return [
          ...(child.exitCode !== null || child.signalCode !== null ? [`${name} has ended`] : []),
          ...(heldMs > mostHeldMs ? [`${name}: its event loop was held for ${Math.round(heldMs)} ms`] : []),
          ...(rssAtEnd - rssAtStart > mostGrown.atEnd ? [grown(rssAtEnd)] : []),
          ...(rssAtMost - rssAtStart > mostGrown.meanwhile ? [`${grown(rssAtMost)} for a moment`] : []),
        ];
      });
      const sum = (runner: string): number =>
        workers.reduce(
          (total, [name]) => total + (counts.get(name)?.[runner] ?? 0) - (countsBefore.get(name)?.[runner] ?? 0),
          0,
        );
      const reached = Object.fromEntries(stages.map((runner) => [runner, sum(runner)])) as Outcome["reached"];
      return { figures, faults, reached };
    },
  };
}
