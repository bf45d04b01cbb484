// The engine's side: a service that asks the fleet through src/client, in a process of its own. Its people are
// registered like anybody and confirmed in the database; each slot has a person, so that no row measures a queue behind
// one mailbox.
import { randomBytes } from "node:crypto";
import pg from "pg";
import { connectRegistry } from "../src/bus/avro/schema-store.ts";
import { connectClient } from "../src/client/connect.ts";
import type { AuthClient } from "../src/client/types.ts";
import { connectKafka, type KafkaDriverName, type KafkaPort } from "../src/kafka/kafka.ts";
import type { InRecord, OutRecord } from "../src/kafka/records.ts";
import { Refusal } from "../src/protocol/errors.ts";
import { makeLogger } from "../src/runtime/log.ts";
import { answer, childOptions } from "./child.ts";
import type { Shape } from "./echo.ts";
import { closedLoop, type Width } from "./measure.ts";
import { openLoop, type Rate } from "./open-loop.ts";
import type { Addresses } from "./target.ts";

/**
 * device: a login with the person's device token; stranger: one of a login that nobody has; besieged: the person's
 * beside 100 guesses at their login.
 */
export type Command = "list" | "login" | "device" | "stranger" | "besieged" | "besieged-device" | "inspect" | "refresh";

interface Person {
  login: string;
  password: string;
  accessToken: string;
  refreshToken: string;
  deviceToken: string;
}

const options = childOptions<Addresses & { driver: KafkaDriverName }>();
const log = makeLogger("silent", {});
const port = (): KafkaPort =>
  connectKafka({ driver: options.driver, brokers: [options.kafka], clientId: "bench", prefix: options.prefix }, log);
const over = (kafka: KafkaPort): AuthClient =>
  connectClient({
    kafka,
    schemas: connectRegistry({ url: options.registry }),
    name: options.service,
    log,
    fleetIds: options.fleetId.split(","),
  });
const client = over(port());
const users: Person[] = [];

const list = () => client.request("auth.key.list", {});
const login = async ({ login, password }: Pick<Person, "login" | "password">, deviceToken?: string) => {
  const options = deviceToken === undefined ? {} : { deviceToken };
  return (await client.request("auth.session.login", { login, password, rotating: true }, options)).tokens!;
};

const guesses = 100;

/** The guesses go before it, in the same moment; those of the round before have ended. */
async function besieged(slot: number, deviceToken?: string): Promise<void> {
  const { login: name, password } = users[slot]!;
  const ended = Array.from({ length: guesses }, () =>
    login({ login: name, password: "not the password" }).catch(() => {}),
  );
  try {
    await login({ login: name, password }, deviceToken);
  } finally {
    await Promise.all(ended);
  }
}

const commands: Record<Command, (slot: number) => Promise<unknown>> = {
  list,
  login: (slot) => login(users[slot]!),
  device: (slot) => login(users[slot]!, users[slot]!.deviceToken),
  stranger: () => login({ login: `s${randomBytes(6).toString("hex")}`, password: "not the password" }),
  besieged: (slot) => besieged(slot),
  "besieged-device": (slot) => besieged(slot, users[slot]!.deviceToken),
  inspect: (slot) => client.request("auth.session.inspect", { accessToken: users[slot]!.accessToken }),
  async refresh(slot) {
    const person = users[slot]!;
    const next = await client.request("auth.session.refresh", { refreshToken: person.refreshToken });
    person.refreshToken = next.refreshToken;
  },
};

/**
 * So many people with a session each; few at a time and again where refused, because no hash may wait long at the
 * fleet.
 */
async function gather(count: number): Promise<string[]> {
  const fresh = Array.from({ length: Math.max(0, count - users.length) }, () => {
    const name = `b${randomBytes(6).toString("hex")}`;
    return { login: name, password: `secret of ${name}` };
  });
  await twoAtATime(fresh, async ({ login: username, password }) => {
    const email = `${username}@example.com`;
    await client.request("auth.account.register", { login: username, username, email, password });
  });
  await confirmAll(fresh.map((person) => person.login));
  await twoAtATime(fresh, async (person) => {
    const { accessToken, refreshToken, deviceToken } = await login(person);
    users.push({ ...person, accessToken, refreshToken, deviceToken });
  });
  return users.map(({ accessToken }) => accessToken);
}

async function twoAtATime<T>(all: T[], work: (each: T) => Promise<void>): Promise<void> {
  const queue = [...all];
  const worker = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) await untilTaken(work, next);
  };
  await Promise.all([worker(), worker()]);
}

async function untilTaken<T>(work: (each: T) => Promise<void>, each: T): Promise<void> {
  for (;;) {
    try {
      return await work(each);
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "OVERLOADED")) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? 100));
    }
  }
}

async function confirmAll(logins: string[]): Promise<void> {
  const sql = new pg.Client({ connectionString: options.database });
  await sql.connect();
  await sql.query("UPDATE users SET confirmed_at = now() WHERE login = ANY($1)", [logins]);
  await sql.end();
}

/** One request and its reply as they are on the topics, by a client of its own. */
async function takeShape(): Promise<Shape> {
  const kafka = port();
  const sent: OutRecord[] = [];
  const came: InRecord[] = [];
  const seen = over({
    ...kafka,
    produce: (records) => {
      sent.push(...records);
      return kafka.produce(records);
    },
    consume: (given) =>
      kafka.consume({
        ...given,
        onRecords: (records, partition, end) => {
          came.push(...records);
          given.onRecords(records, partition, end);
        },
      }),
  });
  await seen.request("auth.key.list", {});
  const request = sent.find(({ topic }) => topic === "auth.key.list")!;
  const reply = came.find(({ headers }) => headers["auth-outcome"] !== undefined)!;
  await seen.close();
  await kafka.close();
  return { request: plain(request), reply: plain(reply) };
}

function plain({ value, headers }: Pick<OutRecord | InRecord, "value" | "headers">): Shape["request"] {
  const texts = Object.entries(headers).map(([name, header]) => [name, String(header)]);
  return { bytes: value!.toString("base64"), headers: Object.fromEntries(texts) as Record<string, string> };
}

let taken: Promise<Shape> | undefined;
const shape = (): Promise<Shape> => {
  taken ??= takeShape();
  return taken;
};

const replies = `auth.reply.${options.service}`;

async function repliesSoFar(kafka: KafkaPort): Promise<number> {
  return [...(await kafka.endOffsets(replies)).values()].reduce((sum, end) => sum + Number(end), 0);
}

const batch = 2000;

/**
 * Puts so many requests of auth.key.list on their topic without waiting for replies; their shape was taken while a
 * worker ran.
 * @returns replies there are before
 */
async function pile(count: number): Promise<number> {
  const { request } = await shape();
  const kafka = port();
  const before = await repliesSoFar(kafka);
  const value = Buffer.from(request.bytes, "base64");
  for (let left = count; left > 0; left -= batch) {
    const records = Array.from({ length: Math.min(left, batch) }, (): OutRecord => {
      const id = randomBytes(16).toString("base64url");
      const own = { kafka_correlationId: id, "auth-idempotency-key": id, "auth-timeout": "300000" };
      return { topic: "auth.key.list", key: null, value, headers: { ...request.headers, ...own } };
    });
    await kafka.produce(records);
  }
  await kafka.close();
  return before;
}

const lookMs = 20;

/** Waits until so many replies came. @returns replies a second, from the first look that saw one */
async function drained({ before, count }: { before: number; count: number }): Promise<number> {
  const kafka = port();
  let first: { done: number; time: number } | undefined;
  for (;;) {
    const done = (await repliesSoFar(kafka)) - before;
    if (done > 0) first ??= { done, time: performance.now() };
    if (first !== undefined && done >= count) {
      await kafka.close();
      const [more, ms] = [done - first.done, performance.now() - first.time];
      return more === 0 ? (count / lookMs) * 1000 : (more / ms) * 1000;
    }
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

answer({
  ready: () => client.ready(),
  pile,
  drained,
  open: ({ command, ...rate }: Rate & { command: Command }) =>
    openLoop(rate, (number) => commands[command](users.length === 0 ? 0 : number % users.length)),
  shape,
  gather,
  run: ({ command, ...width }: Width & { command: Command }) => closedLoop(width, commands[command]),
});
