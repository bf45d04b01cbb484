// kill -9 of a worker in the middle of one commit, while what came after it in the partition is done and answered. What the dead worker
// had sent still takes effect in PostgreSQL when the row it waits for is free; the next worker reads on from the gap, finds the first
// answer, and gives it. The controls switch off what this rests on, and each time the same steps show it.
import { expect, test } from "@jest/globals";
import { within } from "../../src/lib/timeout.ts";
import { effects, facts } from "../support/audit.ts";
import { heldLogin, siteOf } from "../support/crash.ts";
import { type FaultName, without } from "../support/faults.ts";
import { end, until } from "../support/fleet.ts";
import { committed } from "../support/groups.ts";
import { type Deed, tell } from "../support/load.ts";
import { confirmed, loggedIn } from "../support/people.ts";

const site = siteOf("held", { workers: 1, people: 0, env: { AUTH_PARTITIONS: "*=1" } });

/** What a requester needs at most to open an answer that it has read. */
const openingMs = 1000;

let workers = 1;
/** Another worker takes the place of the one that is or was there. */
async function replaceWorker(signal: "SIGTERM" | "SIGKILL", fault: FaultName | undefined): Promise<void> {
  await end(site.own.processes.get(`worker-${workers}`)!, signal);
  workers += 1;
  await site.own.start("worker", `worker-${workers}`, {}, fault === undefined ? [] : without(fault));
}

const sessionsOf = async (id: number): Promise<number> => {
  const { rows } = await site.fleet.sql.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM sessions WHERE user_id = $1",
    [id],
  );
  return rows[0]!.n;
};

/** @returns what is wrong afterwards */
async function killedInACommit(fault: FaultName | undefined): Promise<string[]> {
  const { fleet } = site;
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
  const next = await tell(fleet, {
    by: login,
    topic: "auth.session.login",
    input: { login, password, rotating: true },
    timeoutMs: 60_000,
  });
  // Its own mailbox keeps the order: who is answered behind it was answered after it.
  // Both may have come with one fetch, and each opens its seal in its own time.
  const lost = (await within(openingMs, () => held.deed)) ? [] : ["the login that was held up was never answered"];
  held.forget();
  const deeds: Deed[] = [await held.deed, next];
  return [...lost, ...(await effects(fleet, [one], deeds)), ...(await facts(fleet, [one], deeds))];
}

const ends = async (topic: string): Promise<number> => Number((await site.fleet.kafka.endOffsets(topic)).get(0));

test("kill -9 in a commit: one effect, and its answer from the next worker", async () => {
  expect(await killedInACommit(undefined)).toEqual([]);
}, 180_000);

test.each([
  ["an inbox that all workers share", "no-inbox", [/no login accounts for/, /events LoggedIn/]],
  ["commits that wait for the work", "early-commit", [/never answered/]],
  ["a watermark that waits for gaps", "gaps-committed", [/never answered/]],
] as const)(
  "without %s the same is found to be wrong",
  async (_what, fault, expected) => {
    expect(await killedInACommit(fault)).toEqual(expected.map((each) => expect.stringMatching(each)));
  },
  60_000,
);
