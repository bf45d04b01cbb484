// authctl top against the real fleet's feed, and against a feed that says what a test wants.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Unreachable } from "../../../src/authctl/faults.ts";
import { watchFleet } from "../../../src/authctl/fleet/watch.ts";
import { type FleetReport, noStats } from "../../../src/bus/fleet-report.ts";
import { fleetTopic } from "../../../src/protocol/bus-names.ts";
import { type RealKafka, realKafka, record, spec } from "../../kafka/real-kafka.ts";
import { sharedFleet } from "../../support/fleet-addresses.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { until } from "../../support/until.ts";
import { confirmed, loggedIn } from "../../support/users.ts";
import { authctl, called, watching } from "../authctl.ts";

interface Document {
  processes: { id: string; process: string; state: string; commands: string[]; stats: FleetReport["stats"] }[];
  commands: { command: string; perSecond: number; p50Ms: number; p99Ms: number; outcomes: Record<string, number> }[];
  lag: { records: number; hashSeconds: number };
}

let fleet: TestFleet;
let own: RealKafka;
beforeAll(async () => {
  [fleet, own] = await Promise.all([testFleet(sharedFleet()), realKafka("top")]);
  await own.kafka.ensureTopics([spec(fleetTopic, 1, { "message.timestamp.type": "LogAppendTime" })]);
}, 60_000);
afterAll(async () => {
  await own.close();
  await fleet.close();
});

const ownEnv = () => ({ ...fleet.env, AUTH_TOPIC_PREFIX: own.prefix });

function report(
  id: string,
  more: Partial<FleetReport["stats"]> = {},
  ping: Partial<FleetReport["ping"]> = {},
): FleetReport {
  return {
    ping: {
      id,
      process: id.split(".")[0]!,
      version: "1.0.0",
      state: "serving",
      startedAt: Date.now() - 3 * 3_600_000,
      ...ping,
    },
    info: {
      host: "h\u001b[2Jx",
      pid: 1,
      group: "auth",
      commands: ["auth.session.login"],
      partitions: { "auth.session.login": [0, 1] },
    },
    stats: { ...noStats, ...more },
  };
}

const command = (perSecond: number, p99Ms: number, outcomes: Record<string, number>) => ({
  "auth.session.login": { perSecond, p50Ms: p99Ms / 10, p99Ms, outcomes },
});

/** Says these again and again, as a fleet does. */
function saying(reports: FleetReport[]): () => void {
  const say = () =>
    void own.kafka.produce(reports.map((each) => record(fleetTopic, JSON.stringify(each), { partition: 0 })));
  const timer = setInterval(say, 500);
  say();
  return () => clearInterval(timer);
}

describe("top", () => {
  test("shows the processes of the fleet and what was asked of them", async () => {
    const user = await confirmed(fleet);
    const over = new AbortController();
    const load = (async () => {
      while (!over.signal.aborted) await loggedIn(fleet, user);
    })();
    let seen: Document | undefined;
    await until("a report counts logins", async () => {
      const { code, stdout } = await called(["top", "--json"], fleet.env);
      expect(code).toBe(0);
      seen = JSON.parse(stdout) as Document;
      return seen.commands.some(({ command: name }) => name === "auth.session.login");
    });
    over.abort();
    await load;
    expect(seen!.processes.map(({ process }) => process)).toEqual(
      expect.arrayContaining(["bridge", "relay", "worker"]),
    );
    const login = seen!.commands.find(({ command: name }) => name === "auth.session.login")!;
    expect(login.perSecond).toBeGreaterThan(0);
    expect(login.p99Ms).toBeGreaterThanOrEqual(login.p50Ms);
    expect(login.outcomes["ok"]).toBeGreaterThan(0);
    const worker = seen!.processes.find(({ process }) => process === "worker")!;
    expect(worker.commands).toContain("auth.session.login");
    expect(worker.stats.lanes["hash"]?.width).toBeGreaterThan(0);
  });

  test("without a terminal is said once, by the real command too", async () => {
    const { code, stdout, stderr } = await authctl(["top"], fleet.env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT\S+Z {3}\d+ processes {3}[\d.]+ requests\/s {3}lag \d+ \([\d.]+ s\)\n/);
    expect(stdout).toMatch(/\nPROCESS +STATE +HOST +UP +PARTITIONS +IN FLIGHT +LAG +LANES\n/);
    expect(stdout).toMatch(/\nworker\.\S+ \(auth\) +serving .* hash \d+\/\d+/);
  });

  test("says so where nobody has spoken for long enough; the next test is its control", async () => {
    const silence = watchFleet(own.kafka, 300); // test/long/top.test.ts waits as long as an operator does
    await expect(silence).rejects.toThrow(/^No process of the fleet was heard within 0\.3 s/);
    await expect(silence).rejects.toBeInstanceOf(Unreachable);
  });

  test("adds up what processes say, has the slowest one's times, and leaves out who is leaving", async () => {
    const lag = (records: number, hashSeconds: number) => ({ lag: { records, hashSeconds } });
    await own.kafka.produce([
      record(fleetTopic, JSON.stringify(report("worker.gone", {}, { state: "leaving" })), { partition: 0 }),
      record(fleetTopic, "not a report", { partition: 0 }),
    ]);
    const stop = saying([
      report("worker.a", { ...lag(3, 0.5), commands: command(10, 40, { ok: 15, INVALID_CREDENTIALS: 5 }) }),
      report("worker.b", { ...lag(2, 1.5), commands: command(2.5, 90, { ok: 5 }) }),
    ]);
    const { code, stdout } = await called(["top", "--once", "--json"], ownEnv());
    const { processes, commands, lag: behind } = JSON.parse(stdout) as Document;
    expect(code).toBe(0);
    expect(processes.map(({ id }) => id)).toEqual(["worker.a", "worker.b"]);
    expect(commands).toEqual([
      {
        command: "auth.session.login",
        perSecond: 12.5,
        p50Ms: 9,
        p99Ms: 90,
        outcomes: { ok: 20, INVALID_CREDENTIALS: 5 },
      },
    ]);
    expect(behind).toEqual({ records: 5, hashSeconds: 1.5 });
    const live = await watching(["top"], ownEnv(), 2);
    stop();
    expect([live.code, live.stdout, live.seen.length]).toEqual([0, "", 2]);
    expect(live.seen[1]).toMatch(/2 processes {3}12\.5 requests\/s {3}lag 5 \(1\.5 s\)\n/);
    expect(live.seen[1]).toMatch(/\nauth\.session\.login +12\.5 +9\.0 +90\.0 +ok 80%, INVALID_CREDENTIALS 20%/);
    expect(live.seen[1]).toMatch(/\nworker\.a \(auth\) +serving +h\\u001b\[2Jx +3h +2 +0 +3 \(0\.5 s\)/); // no control character of the feed's
  });

  test("where there is no feed says what to do", async () => {
    const { code, stderr } = await called(["top"], { ...fleet.env, AUTH_TOPIC_PREFIX: "nowhere." });
    expect([code, stderr]).toEqual([3, expect.stringContaining("run authfleet migrate first")]);
  });
});
