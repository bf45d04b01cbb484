// How a fleet grows: more partitions under load, more workers than partitions, pools that serve a part of the commands
// each.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type FleetReport, readReport } from "../../src/bus/fleet-report.ts";
import { patient } from "../support/crash.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { failures, longest, newUsers, startLoad } from "../support/load.ts";
import { type Mailbox, mailbox } from "../support/mailbox.ts";
import { gauge } from "../support/metrics.ts";
import { end, run } from "../support/processes.ts";
import { runFolder } from "../support/stack.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, newUser } from "../support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let feed: Mailbox;
let users: Confirmed[];
beforeAll(async () => {
  own = await startFleet("pools", { env: patient });
  fleet = await testFleet(own);
  feed = mailbox(fleet.kafka, ["auth.fleet"]);
  [users] = await Promise.all([newUsers(fleet, 6), feed.ready]);
}, 60_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

/** What the worker said last since this moment of the broker's. */
async function word(pid: number | undefined, fits: (report: FleetReport) => boolean): Promise<FleetReport> {
  const record = await feed.last("auth.fleet", (each) => {
    const report = readReport(each);
    return report !== undefined && report.info.pid === pid && fits(report);
  });
  return readReport(record)!;
}

const heldBy = ({ info }: FleetReport): number => Object.values(info.partitions).flat().length;

describe("more partitions", () => {
  test("under load fail no request, and old and new requesters are served on them", async () => {
    const load = startLoad(fleet, users, { perSecond: 60, timeoutMs: 15_000 });
    await load.awaitProgress(3);
    const grown = performance.now();
    const AUTH_PARTITIONS = "auth.session.*=12,*=4";
    await run(["migrate"], { env: { ...own.env, AUTH_PARTITIONS }, folder: `${runFolder()}/pools-migrate` });
    expect(await fleet.kafka.partitionsOf("auth.session.login")).toBe(12);
    // A requester that starts now sees the new partitions at once, and writes to them before any worker has them.
    const fresh = await testFleet(own);
    const newcomers = startLoad(fresh, await newUsers(fresh, 6), { perSecond: 60, timeoutMs: 15_000 });
    await newcomers.awaitProgress(3);
    await until("the worker has them all", async () => {
      const ends = await fleet.kafka.endOffsets("auth.session.login");
      const { info } = await word(own.processes.get("worker-1")!.pid, () => true);
      return ends.size === 12 && info.partitions["auth.session.login"]?.length === 12;
    });
    await load.awaitProgress(3);
    const actions = [...(await load.stop()), ...(await newcomers.stop())];
    await fresh.close();
    const pause = longest(actions, grown);
    console.log(`4 -> 12 and 2 -> 4 partitions under load: ${actions.length} requests, the longest took ${pause} ms`);
    expect(failures(actions)).toEqual([]);
    const ends = await fleet.kafka.endOffsets("auth.session.login");
    const added = [...ends].filter(([partition, offset]) => partition >= 4 && offset > 0n);
    expect(added.length).toBeGreaterThan(0); // or the test has shown nothing of the new ones
  }, 60_000);
});

describe("more workers than partitions", () => {
  test("stay idle, report no partitions, and take over when another worker leaves", async () => {
    const pool = { AUTH_GROUP: "confirmers", AUTH_TOPICS: "auth.account.confirm", AUTH_LEGACY_TOPICS: "false" };
    await end(own.processes.get("worker-1")!);
    await own.start("worker", "worker-2", { AUTH_TOPICS: "!auth.account.confirm" });
    const names = ["a", "b", "c", "d", "e"].map((letter) => `worker-${letter}`);
    await Promise.all(names.map((name) => own.start("worker", name, pool))); // 4 partitions, 5 workers
    const said = async () =>
      Promise.all(names.map((name) => word(own.processes.get(name)!.pid, ({ ping }) => ping.state === "serving")));
    await until("each partition has its worker", async () => (await said()).map(heldBy).sort().join() === "0,1,1,1,1");
    const reports = await said();
    const idle = names[reports.findIndex((report) => heldBy(report) === 0)]!;
    const cpu = await gauge(own.http[idle]!, "process_cpu_seconds_total");
    const begun = performance.now();
    await until("some time has passed", () => performance.now() - begun > 2000);
    const burnt =
      ((await gauge(own.http[idle]!, "process_cpu_seconds_total")) - cpu) / ((performance.now() - begun) / 1000);
    console.log(`a worker without partitions uses ${(100 * burnt).toFixed(1)} % of a core`);
    expect(burnt).toBeLessThan(0.1);
    expect((await fetch(`${own.http[idle]!}/readyz`)).status).toBe(200);
    const holder = names[reports.findIndex((report) => heldBy(report) === 1)]!;
    await end(own.processes.get(holder)!);
    await until(
      "the idle one has taken over",
      async () => heldBy(await word(own.processes.get(idle)!.pid, () => true)) === 1,
    );
    expect(await fleet.client.request("auth.account.register", newUser())).toHaveProperty("userId");
  }, 90_000);
});
