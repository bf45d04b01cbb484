// The audit after a fault: what the database and the topics hold, beside what callers were answered. Each check returns
// its faults as sentences, an empty list where all is well; a request that failed may have had its effect once or not
// at all. The queries run on the fleet's own connection, so a test can plant a fault in a transaction, see it found,
// and roll it back.
import { isDeepStrictEqual } from "node:util";
import type { SentRequest } from "./load.ts";
import type { TestFleet } from "./test-fleet.ts";
import { until } from "./until.ts";
import type { Confirmed } from "./users.ts";

const done = (sent: SentRequest[], topic: SentRequest["topic"]): SentRequest[] =>
  sent.filter((request) => request.topic === topic && request.answer !== undefined);
const failed = (sent: SentRequest[], topic: SentRequest["topic"]): number =>
  sent.filter((request) => request.topic === topic && request.answer === undefined).length;
const sessionOf = (request: SentRequest): string => (request.answer!["tokens"] as { sessionId: string }).sessionId;

/** Sessions, rotations and accounts: one for each request that was answered, and no other. */
export async function effects(fleet: TestFleet, users: Confirmed[], sent: SentRequest[]): Promise<string[]> {
  return [...(await sessions(fleet, users, sent)), ...(await accounts(fleet, sent))];
}

async function sessions({ sql }: TestFleet, users: Confirmed[], sent: SentRequest[]): Promise<string[]> {
  const { rows } = await sql.query<{ id: string; rotations: number }>(
    "SELECT id, rotations FROM sessions WHERE user_id = ANY($1) AND id <> ALL($2)",
    [users.map(({ id }) => id), users.map(({ tokens }) => tokens.sessionId)],
  );
  const made = new Map(rows.map((row) => [row.id, row.rotations]));
  const opened = done(sent, "auth.session.login").map(sessionOf);
  const unasked = made.size - new Set(opened).size - failed(sent, "auth.session.login");
  const turns = new Map<string, number>();
  for (const { answer } of done(sent, "auth.session.refresh")) {
    const id = String(answer!["sessionId"]);
    turns.set(id, (turns.get(id) ?? 0) + 1);
  }
  const spare = failed(sent, "auth.session.refresh") > 0 ? 1 : 0; // a chain ends at its first refresh that failed
  return [
    ...opened.filter((id, index) => opened.indexOf(id) !== index).map((id) => `session ${id} answers two logins`),
    ...opened.filter((id) => !made.has(id)).map((id) => `session ${id} was answered and is not there`),
    ...(unasked > 0 ? [`${unasked} sessions that no login accounts for`] : []),
    ...opened
      .filter((id) => made.has(id) && !between(made.get(id)!, turns.get(id) ?? 0, spare))
      .map((id) => `session ${id} has ${made.get(id)} rotations for ${turns.get(id) ?? 0} refreshes`),
  ];
}

const between = (value: number, least: number, spare: number): boolean => value >= least && value <= least + spare;

async function accounts({ sql }: TestFleet, sent: SentRequest[]): Promise<string[]> {
  const wanted = done(sent, "auth.account.register").map(({ input, answer }) => ({
    login: (input as { login: string }).login,
    id: Number(answer!["userId"]),
  }));
  const { rows } = await sql.query<{ login: string; id: string }>("SELECT login, id FROM users WHERE login = ANY($1)", [
    wanted.map(({ login }) => login),
  ]);
  const ids = new Map(rows.map((row) => [row.login, Number(row.id)]));
  return wanted
    .filter(({ login, id }) => ids.get(login) !== id)
    .map(({ login, id }) => `account ${login} was answered as ${id} and is ${ids.get(login) ?? "not there"}`);
}

/** Whoever asks again with the same key gets the same value; who got none may get any, but no two. */
export async function answers(fleet: TestFleet, sent: SentRequest[]): Promise<string[]> {
  const faults: string[] = [];
  const queue = [...sent];
  const again = ({ topic, input, idempotencyKey }: SentRequest): Promise<unknown> =>
    fleet.client.request(topic, input as never, { idempotencyKey }).catch(String);
  const work = async (): Promise<void> => {
    for (let request = queue.pop(); request !== undefined; request = queue.pop()) {
      const first = request.answer ?? (await again(request));
      if (!isDeepStrictEqual(await again(request), first))
        faults.push(`${request.topic} was answered otherwise when asked again`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return faults;
}

/** How often each kind of event must be there: once for each request that was answered. */
export async function eventsMissing({ sql }: TestFleet, users: Confirmed[], sent: SentRequest[]): Promise<string[]> {
  const asked = sent.filter((request) => request.topic === "auth.account.register").map(({ input }) => input);
  const logins = [...users, ...(asked as { login: string }[])].map(({ login }) => login);
  const { rows } = await sql.query<{ kind: string; n: number }>(
    "SELECT kind, count(*)::int AS n FROM outbox WHERE topic = 'auth.event' AND user_id IN (SELECT id FROM users WHERE login = ANY($1)) GROUP BY kind",
    [logins],
  );
  const counted = new Map(rows.map((row) => [row.kind, row.n]));
  const expected = [
    // confirming opened the first session of each
    { kind: "LoggedIn", topic: "auth.session.login", before: users.length },
    { kind: "SessionRefreshed", topic: "auth.session.refresh", before: 0 },
    { kind: "UserRegistered", topic: "auth.account.register", before: users.length },
  ] as const;
  return expected.flatMap(({ kind, topic, before }) => {
    const least = before + done(sent, topic).length;
    const found = counted.get(kind) ?? 0;
    return between(found, least, failed(sent, topic))
      ? []
      : [`${found} events ${kind} for ${least} that were answered`];
  });
}

/** All of it: the effects before anybody asks again, and what happened after that. */
export async function audit(fleet: TestFleet, users: Confirmed[], sent: SentRequest[]): Promise<string[]> {
  return [
    ...(await effects(fleet, users, sent)),
    ...(await eventsMissing(fleet, users, sent)),
    ...(await answers(fleet, sent)),
    ...(await eventsMissing(fleet, users, sent)), // asking again did nothing again
    ...(await events(fleet)),
  ];
}

interface Stored {
  event_id: string;
  /** Null where it is about no user: an unknown login. */
  user_id: string | null;
  sequence: string | null;
}

/**
 * Every event is published with its own id; those of a user are numbered without a gap, and first seen in the order of
 * their numbers.
 */
export async function events(fleet: TestFleet): Promise<string[]> {
  await until("the outbox is published", async () => {
    const { rows } = await fleet.sql.query("SELECT FROM outbox WHERE published_at IS NULL LIMIT 1");
    return rows.length === 0;
  });
  const { rows } = await fleet.sql.query<Stored>(
    "SELECT event_id, user_id, sequence FROM outbox WHERE topic = 'auth.event' ORDER BY user_id, sequence",
  );
  const seen = await firstSeen(fleet, rows);
  const made = new Set(rows.map((row) => row.event_id));
  const byUser = Map.groupBy(
    rows.filter((row) => row.sequence !== null),
    (row) => row.user_id,
  );
  return [
    ...rows
      .filter((row) => row.user_id !== null) // that operators were added was published before anybody here read
      .filter((row) => !seen.has(row.event_id))
      .map((row) => `event ${row.sequence} of user ${row.user_id} never came`),
    ...[...seen.keys()].filter((id) => !made.has(id)).map((id) => `nobody made event ${id}`),
    ...[...byUser].flatMap(([user, own]) => [...gaps(user, own), ...disorder(user, own, seen)]),
  ];
}

/** Place in the topic at which each event id came first. */
async function firstSeen({ mails }: TestFleet, rows: Stored[]): Promise<Map<string, number>> {
  const ids = () => mails.all("auth.event").map((record) => String(record.headers["ce_id"]));
  // A published event is in the topic: what is not read soon was never there.
  await until("all events are read", () => new Set(ids()).size >= rows.length, 3000).catch(() => undefined);
  const places = new Map<string, number>();
  for (const [place, id] of ids().entries()) if (!places.has(id)) places.set(id, place);
  return places;
}

function gaps(user: string | null, own: Stored[]): string[] {
  const numbers = own.map(({ sequence }) => Number(sequence));
  return numbers.every((number, index) => number === index + 1)
    ? []
    : [`user ${user} has the events ${numbers.join()}`];
}

function disorder(user: string | null, own: Stored[], seen: Map<string, number>): string[] {
  const places = own.flatMap(({ event_id }) => seen.get(event_id) ?? []);
  return places.every((place, index) => index === 0 || place > places[index - 1]!)
    ? []
    : [`events of user ${user} came out of order`];
}

/** Records of the topic beyond the first of each id: at-least-once shows itself here. */
export function repeats({ mails }: TestFleet): number {
  const ids = mails.all("auth.event").map((record) => String(record.headers["ce_id"]));
  return ids.length - new Set(ids).size;
}
