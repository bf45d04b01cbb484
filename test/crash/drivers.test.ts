// The driver of a fleet is changed while it runs, process by process: both are members of one group meanwhile, and each
// leads it once. Then a worker of the second driver is killed. Nobody is refused, nothing is lost or done twice,
// whichever driver asks. In `npm test` this is what sees the second driver fail under load; all of test/crash over it
// is `npm run test:crash`.
import { expect, test } from "@jest/globals";
import { audit } from "../support/audit.ts";
import { crashFixture } from "../support/crash.ts";
import { testDriver } from "../support/driver.ts";
import { failures, longest, startLoad } from "../support/load.ts";
import { end } from "../support/processes.ts";
import { testFleet } from "../support/test-fleet.ts";

const fixture = crashFixture("drivers", { workers: 1 });
const other = testDriver() === "kafkajs" ? "platformatic" : "kafkajs";

/** Of the other driver. */
const start = (kind: "worker" | "relay", name: string) => fixture.own.start(kind, name, { AUTH_KAFKA_DRIVER: other });
const leave = async (name: string) => expect(await end(fixture.own.processes.get(name)!)).toBe(0);

test(`from ${testDriver()} to ${other} under load, and kill -9: one answer, one effect, nothing lost`, async () => {
  const { fleet, users, own } = fixture;
  const guests = await testFleet(own, other);
  fixture.onStop(() => guests.close());
  const half = users.length / 2;
  const rules = { perSecond: 40, timeoutMs: 30_000 };
  const loads = [startLoad(fleet, users.slice(half), rules), startLoad(guests, users.slice(0, half), rules)];
  const awaitProgress = (times: number) => Promise.all(loads.map((load) => load.awaitProgress(times)));

  await awaitProgress(1);
  await Promise.all([start("worker", "worker-2"), start("relay", "relay-2")]);
  await awaitProgress(2);
  await Promise.all([leave("worker-1"), leave("relay-1")]);
  await awaitProgress(2);
  const changed = longest(
    loads.flatMap(({ sent }) => sent),
    0,
  );
  const killed = performance.now();
  await end(own.processes.get("worker-2")!, "SIGKILL");
  await start("worker", "worker-3");
  await awaitProgress(2);
  const sent = (await Promise.all(loads.map((load) => load.stop()))).flat();
  const recovered = longest(sent, killed);
  console.log(
    `${sent.length} requests, the longest took ${changed} ms over the change and ${recovered} ms over the kill`,
  );
  expect(failures(sent)).toEqual([]);
  expect(recovered).toBeGreaterThan(1000); // the control: somebody did wait for the one that was killed
  expect(await audit(fleet, users, sent)).toEqual([]);
}, 180_000);
