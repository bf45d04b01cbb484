// What the tests of authctl dlq stand on: a fleet of its own, there from the first test of the file on that imports
// this; the command; and ways to make dead letters, each with the mark of its test.
import { randomBytes } from "node:crypto";
import driver, { type Admin } from "kafkajs";
import { deadLetter } from "../../../src/bus/dead-letter.ts";
import { openPatched } from "../../../src/kafka/kafkajs/patches.ts";
import type { InRecord, OutRecord } from "../../../src/kafka/records.ts";
import { busNames, deadLetterTopic } from "../../../src/protocol/bus-names.ts";
import { type Fleet, startFleet } from "../../support/fleet.ts";
import { type Raw, rawRequests } from "../../support/raw.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import type { TestUser } from "../../support/users.ts";
import { called, type Ran } from "../authctl.ts";

let own: Fleet;
export let fleet: TestFleet;
export let raw: Raw;
export let admin: Admin;
beforeAll(async () => {
  own = await startFleet("dlq", { processes: ["worker", "relay"] });
  fleet = await testFleet(own);
  raw = await rawRequests(fleet);
  admin = openPatched({ brokers: [fleet.env["AUTH_KAFKA_BROKERS"]!], logLevel: driver.logLevel.NOTHING }).admin();
  await admin.connect();
}, 90_000);
afterAll(async () => {
  await admin.disconnect();
  await fleet.close();
  await own.stop();
});

/** Marks the records of one test. */
export let mark: string;
export function newMark(): void {
  mark = randomBytes(12).toString("hex");
}
beforeEach(newMark);

export const run = (line: string): Promise<Ran> => called(["dlq", ...line.split(" ")], fleet.env);

export interface Listed {
  letters: { id: string; at: string; from: { topic: string }; error: string; state: string }[];
  more: boolean;
}
export async function document<T = Record<string, unknown>>(line: string, code = 0): Promise<T> {
  const ran = await run(`${line} --json`);
  expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code, stderr: "" });
  return JSON.parse(ran.stdout) as T;
}
export const listed = async (options: string) =>
  (await document<Listed>(`list ${options}`)).letters.map(({ id }) => id);

/** The id of the dead letter with the header test-mark, when it is there. @param count which of them */
export async function buried(which = mark, count = 1): Promise<string> {
  const fits = (record: InRecord) => String(record.headers["test-mark"]) === which;
  const { partition, offset } = (await fleet.mails.count(deadLetterTopic, count, fits)).at(-1)!;
  return `${partition}/${offset}`;
}

export async function sendLegacy(topic: string, body: unknown, headers: OutRecord["headers"] = {}): Promise<void> {
  const value = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const marked = { "test-mark": mark, ...headers };
  await fleet.kafka.produce([{ topic, partition: 0, key: Buffer.from("the key"), value, headers: marked }]);
}

/** Whatever changes this user's row fails for good, until it is mended: an error that no worker tries again. */
export async function broken(login: string): Promise<{ mend(): Promise<void> }> {
  const name = `broken_${login}`;
  await fleet.sql.query(`ALTER TABLE users ADD CONSTRAINT ${name} CHECK (login_key <> '${login}') NOT VALID`);
  return { mend: async () => void (await fleet.sql.query(`ALTER TABLE users DROP CONSTRAINT ${name}`)) };
}

async function eventsOf(id: number): Promise<string[]> {
  const { rows } = await fleet.sql.query<{ kind: string }>(
    "SELECT kind FROM outbox WHERE user_id = $1 AND sequence IS NOT NULL ORDER BY id",
    [id],
  );
  return rows.map((row) => row.kind);
}
export const bansOf = async (id: number) => (await eventsOf(id)).filter((kind) => /ban/i.test(kind));

export async function usersOf({ login }: TestUser): Promise<number> {
  const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE login_key = $1", [login]);
  return rowCount ?? 0;
}

/** The registration in the bare form. */
export function registering(user: TestUser, headers: Record<string, string | Buffer> = {}) {
  const { password, ...clear } = user;
  const fields = { ...clear, sealed: JSON.stringify(user) };
  const all = { "test-mark": mark, "auth-timeout": "10000", ...headers };
  return { topic: "auth.account.register", key: user.login, fields, headers: all } as const;
}

export function strangeLetter(offset: number): OutRecord {
  const record = { topic: "nobody", partition: 0, offset: BigInt(offset), timestamp: 1, key: null, value: null };
  return deadLetter({ ...record, headers: {} }, { error: "for this test", now: 1, deadLetters: busNames.deadLetters });
}
