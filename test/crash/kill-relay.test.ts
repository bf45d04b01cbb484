// kill -9 of the relay between the commit of events and the mark that they are published, under load, twice: no event
// is lost, each comes at least once under its own id, and a user's events keep their order. A relay that marks first
// loses what it had marked.
import { expect, test } from "@jest/globals";
import { events, eventsMissing, repeats } from "../support/audit.ts";
import { crashFixture } from "../support/crash.ts";
import { without } from "../support/faults.ts";
import { failures, startLoad } from "../support/load.ts";
import { end } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { loggedIn } from "../support/users.ts";

const fixture = crashFixture("kill-relay", { workers: 1 });

async function unpublished(): Promise<number> {
  const { rows } = await fixture.fleet.sql.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL",
  );
  return rows[0]!.n;
}

let relays = 1;
const relay = () => fixture.own.processes.get(`relay-${relays}`)!;

async function startRelay(node: string[] = []): Promise<void> {
  relays += 1;
  await fixture.own.start("relay", `relay-${relays}`, {}, node);
}

test("kill -9 of the relay under load: every event comes, in its user's order", async () => {
  const { fleet, users } = fixture;
  const load = startLoad(fleet, users, { perSecond: 80, timeoutMs: 30_000 });
  const left: number[] = [];
  for (let round = 1; round <= 2; round += 1) {
    await load.awaitProgress(1);
    await until("a commit that waits for the relay", async () => (await unpublished()) > 0);
    await end(relay(), "SIGKILL");
    left.push(await unpublished());
    await load.awaitProgress(1); // requests do not wait for the relay
    expect(await unpublished()).toBeGreaterThan(0); // the control: nobody else publishes
    await startRelay();
  }
  const sent = await load.stop();
  expect(failures(sent)).toEqual([]);
  expect(await events(fleet)).toEqual([]);
  expect(await eventsMissing(fleet, users, sent)).toEqual([]);
  const said = `${sent.length} requests, ${left.join(", ")} rows left behind, ${repeats(fleet)} events came twice`;
  console.log(`kill -9 of the relay, ${left.length} times: ${said}`);
}, 180_000);

test("a relay that marks events before it publishes them loses some when it is killed (the control)", async () => {
  await end(relay());
  await startRelay(without("marked-first"));
  await loggedIn(fixture.fleet, fixture.users[0]!);
  await until("its event is marked", async () => (await unpublished()) === 0);
  await end(relay(), "SIGKILL");
  await startRelay();
  expect(await events(fixture.fleet)).toEqual([expect.stringMatching(/never came/)]);
}, 180_000);
