// kill -9 of a worker in the middle of one commit, while what came after it in the partition is done and answered. What
// the dead worker had sent still takes effect in PostgreSQL when the row it waits for is free; the next worker reads on
// from the gap, finds the first answer, and gives it. The controls switch off what this rests on, and each time the
// same steps show it.
import { expect, test } from "@jest/globals";
import { settledWithin } from "../../src/lib/timeout.ts";
import { effects, eventsMissing } from "../support/audit.ts";
import { crashFixture, heldLogin } from "../support/crash.ts";
import { type FaultName, without } from "../support/faults.ts";
import { committed } from "../support/groups.ts";
import { type SentRequest, sendRequest } from "../support/load.ts";
import { end } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { confirmed, loggedIn } from "../support/users.ts";

const fixture = crashFixture("held", { workers: 1, users: 0, env: { AUTH_PARTITIONS: "*=1" } });

/** What a requester needs at most to open an answer that it has read. */
const openingMs = 1000;

let workers = 1;
/** Another worker takes the place of the one that is or was there. */
async function replaceWorker(signal: "SIGTERM" | "SIGKILL", fault: FaultName | undefined): Promise<void> {
  await end(fixture.own.processes.get(`worker-${workers}`)!, signal);
  workers += 1;
  await fixture.own.start("worker", `worker-${workers}`, {}, fault === undefined ? [] : without(fault));
}

const sessionsOf = async (id: number): Promise<number> => {
  const { rows } = await fixture.fleet.sql.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM sessions WHERE user_id = $1",
    [id],
  );
  return rows[0]!.n;
};

/** @returns what is wrong afterwards */
async function killedInACommit(fault: FaultName | undefined): Promise<string[]> {
  const { fleet } = fixture;
  if (fault !== undefined) await replaceWorker("SIGTERM", fault);
  const [one, other] = await Promise.all([confirmed(fleet), confirmed(fleet)]);
  const held = await heldLogin(fleet, one);
  const { refreshToken } = await loggedIn(fleet, other); // behind it in the partition
  await fleet.client.request("auth.session.refresh", { refreshToken });
  const refreshes = async () => (await committed(fleet, "auth.session.refresh"))[0]!;
  await until("later work is committed", async () => (await refreshes()) === (await ends("auth.session.refresh")));
  const before = await sessionsOf(one.id);
  const replaced = replaceWorker("SIGKILL", fault);
  await held.release();
  await until("the dead worker's commit goes through", async () => (await sessionsOf(one.id)) > before);
  await replaced;
  const { login, password } = one;
  const next = await sendRequest(fleet, {
    by: login,
    topic: "auth.session.login",
    input: { login, password, rotating: true },
    timeoutMs: 60_000,
  });
  // Its own mailbox keeps the order: who is answered behind it was answered after it.
  // Both may have come with one fetch, and each opens its seal in its own time.
  const lost = (await settledWithin(openingMs, () => held.request))
    ? []
    : ["the login that was held up was never answered"];
  held.forget();
  const sent: SentRequest[] = [await held.request, next];
  return [...lost, ...(await effects(fleet, [one], sent)), ...(await eventsMissing(fleet, [one], sent))];
}

const ends = async (topic: string): Promise<number> => Number((await fixture.fleet.kafka.endOffsets(topic)).get(0));

test("kill -9 in a commit: one effect, and its answer from the next worker", async () => {
  expect(await killedInACommit(undefined)).toEqual([]);
}, 180_000);

test.each([
  ["an inbox that all workers share", "no-inbox", [/no login accounts for/, /events LoggedIn/]],
  ["commits that wait for the work", "early-commit", [/never answered/]],
  ["offsets that wait for gaps", "gaps-committed", [/never answered/]],
] as const)(
  "without %s the audit of the same steps finds faults (the control)",
  async (_what, fault, expected) => {
    expect(await killedInACommit(fault)).toEqual(expected.map((each) => expect.stringMatching(each)));
  },
  60_000,
);
