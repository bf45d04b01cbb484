// The fleet feed on real processes: who is there, what it does; what a requester makes of silence; groups that would do
// work twice.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type FleetReport, readReport } from "../../src/bus/fleet-report.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { called } from "../authctl/authctl.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { type Mailbox, mailbox, type Seen } from "../support/mailbox.ts";
import { gauge } from "../support/metrics.ts";
import { end, run } from "../support/processes.ts";
import { runFolder } from "../support/stack.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { newUser, refusalOf, refused } from "../support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let feed: Mailbox;
beforeAll(async () => {
  own = await startFleet("feed");
  fleet = await testFleet(own);
  feed = mailbox(fleet.kafka, ["auth.fleet"]);
  await feed.ready;
}, 60_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

const of = (kind: string, fits: (report: FleetReport) => boolean = () => true) => {
  return (record: Seen): boolean => {
    const report = readReport(record);
    return report?.ping.process === kind && fits(report);
  };
};
const last = async (...args: Parameters<typeof of>): Promise<FleetReport> =>
  readReport(await feed.last("auth.fleet", of(...args)))!;

describe("every process says", () => {
  test.each(["worker", "relay", "bridge"])("that it is there: the %s", async (kind) => {
    const { ping, info } = await last(kind);
    expect(ping).toMatchObject({ process: kind, version: expect.stringMatching(/^\d+\.\d+\.\d+/), state: "serving" });
    expect(info.pid).toBe(own.processes.get(`${kind}-1`)!.pid);
  });

  test("again every two seconds", async () => {
    const records = await feed.count("auth.fleet", 3, of("relay"));
    const times = records.map(({ timestamp }) => timestamp);
    expect(times[2]! - times[1]!).toBeGreaterThan(1500);
    expect(times[2]! - times[1]!).toBeLessThan(4000);
  });

  test("as a worker: its group, commands, partitions, lanes, and what it did since", async () => {
    await fleet.client.request("auth.account.register", newUser());
    const report = await last("worker", ({ stats }) => stats.commands["auth.account.register"] !== undefined);
    expect(report.info).toMatchObject({ group: "auth", commands: expect.arrayContaining(["auth.session.login"]) });
    expect(report.info.partitions["auth.session.login"]).toEqual([0, 1, 2, 3]);
    expect(report.stats.lanes["hash"]).toMatchObject({ width: expect.any(Number), costMs: expect.any(Number) });
    expect(report.stats.lanes["hash"]!.costMs).toBeGreaterThan(0);
    const { outcomes, perSecond, p50Ms, p99Ms } = report.stats.commands["auth.account.register"]!;
    expect(outcomes).toEqual({ ok: 1 });
    expect(perSecond).toBeGreaterThan(0);
    expect(p50Ms).toBeGreaterThan(0);
    expect(p99Ms).toBeGreaterThanOrEqual(p50Ms);
    expect(report.stats.lag).toEqual({ records: 0, hashSeconds: 0 });
  });
});

test("a flood of logins shows in what is demanded of the hash lane, though most of it is refused", async () => {
  const http = own.http["worker-1"]!;
  const before = await gauge(http, "auth_hash_demand_seconds_total");
  const cost = await gauge(http, "auth_hash_seconds");
  const flood = 300;
  const outcomes = await Promise.all(
    Array.from({ length: flood }, () => {
      const { login, password } = newUser();
      return refusalOf(fleet.client.request("auth.session.login", { login, password }));
    }),
  );
  const hashed = outcomes.filter((outcome) => outcome === "INVALID_CREDENTIALS").length;
  const dearest = Math.max(cost, await gauge(http, "auth_hash_seconds"));
  const demanded = (await gauge(http, "auth_hash_demand_seconds_total")) - before;
  expect(outcomes.filter((outcome) => outcome === "OVERLOADED").length).toBe(flood - hashed);
  expect(hashed).toBeLessThan(flood / 2); // or nothing is shown
  expect(demanded).toBeGreaterThan((flood * cost) / 3);
  expect(demanded).toBeGreaterThan(hashed * cost); // the control: more than what was done
  expect(demanded).toBeLessThan(flood * dearest * 2);
  const text = await (await fetch(`${http}/metrics`)).text();
  for (const lane of ["hash", "db", "cheap"])
    for (const what of ["width", "running", "queued"])
      expect(text).toMatch(new RegExp(`^auth_lane_${what}\\{lane="${lane}",process="worker"\\} \\d+$`, "m"));
  expect(await gauge(http, "auth_lane_width")).toBeGreaterThan(0);
}, 60_000);

describe("a second group", () => {
  const start = (env: Record<string, string>) =>
    run(["worker"], { env: { ...own.env, ...env }, folder: `${runFolder()}/fleet-feed-rival` });

  test("with a command that is served already does not start, and says why", async () => {
    await expect(start({ AUTH_GROUP: "others", AUTH_TOPICS: "auth.session.*,auth.key.*" })).rejects.toThrow(
      /The group auth \(worker\..+\) serves auth\.key\.list, auth\.session\..+ already, and this worker is of the group others: give both the same AUTH_GROUP/,
    );
  }, 30_000);

  test("with other commands starts beside it, and so does another worker of the same group", async () => {
    await own.start("worker", "worker-2");
    await expect(own.start("worker", "worker-3", { AUTH_GROUP: "others", AUTH_TOPICS: "auth.key.*" })).rejects.toThrow(
      /serves auth\.key\.list already/,
    );
    await end(own.processes.get("worker-1")!);
    await end(own.processes.get("worker-2")!);
    await own.start("worker", "worker-4", { AUTH_TOPICS: "!auth.key.*" }); // whoever has stopped holds nothing any more
    await own.start("worker", "worker-5", { AUTH_GROUP: "others", AUTH_TOPICS: "auth.key.*" });
    expect(await fleet.client.request("auth.key.list", {})).toHaveProperty("jwks");
    expect(await fleet.client.request("auth.account.register", newUser())).toHaveProperty("userId");
    const { stdout } = await called(["topics", "serving", "--json"], own.env);
    const { serving } = JSON.parse(stdout) as { serving: { command: string; group: string; processes: string[] }[] };
    const groups = serving.map(({ command, group, processes }) => [command, group, processes.length]);
    expect(groups).toEqual(groups.map(([command]) => [command, command === "auth.key.list" ? "others" : "auth", 1]));
  }, 60_000);

  test("starts whatever the feed says, and does not where the database has another group's claim", async () => {
    const { value } = await feed.last("auth.fleet", of("worker"));
    const { ping, info, stats } = JSON.parse(String(value)) as FleetReport;
    const spoofed = {
      ping: { ...ping, id: "worker.spoofed" },
      info: { ...info, group: "spoofed", commands: Object.keys(commandSchemas) },
      stats,
    };
    const produce = () =>
      fleet.kafka.produce([
        { topic: "auth.fleet", partition: 0, key: null, value: Buffer.from(JSON.stringify(spoofed)), headers: {} },
      ]);
    await end(own.processes.get("worker-5")!, "SIGKILL");
    const third = { AUTH_GROUP: "third", AUTH_TOPICS: "auth.key.*" };
    await produce();
    // The control, and the rest of a worker that was killed.
    await expect(start(third)).rejects.toThrow(/The group others \(worker\..+\) serves auth\.key\.list already/);
    await fleet.sql.query(`UPDATE serving SET until = until - interval '30 seconds' WHERE "group" = 'others'`);
    await produce();
    await own.start("worker", "worker-5", third);
  }, 60_000);
});

describe("when nobody serves a command", () => {
  test("it is refused NO_WORKERS at once, others are served, and it is served again once a worker of it starts", async () => {
    await end(own.processes.get("worker-5")!);
    await until("the silence is noticed", async () => {
      const refusal = await refused(fleet.client.request("auth.key.list", {}, { timeoutMs: 500 }));
      return refusal.code === "NO_WORKERS";
    });
    const begun = performance.now();
    const refusal = await refused(fleet.client.request("auth.key.list", {}));
    expect(performance.now() - begun).toBeLessThan(100);
    expect(refusal.message).toContain("auth.key.list");
    expect(refusal.retryAfterMs).toBeGreaterThan(0);
    expect(await fleet.client.request("auth.account.register", newUser())).toHaveProperty("userId");
    await own.start("worker", "worker-6", { AUTH_GROUP: "others", AUTH_TOPICS: "auth.key.*" });
    await until("it is served again", async () =>
      fleet.client.request("auth.key.list", {}, { timeoutMs: 1000 }).then(
        () => true,
        () => false,
      ),
    );
  }, 60_000);
});
