// Every row of the bench runs, on the fleet that tests share and for a moment only: the figures mean nothing here, but
// a row that no longer works is seen before somebody needs its figures.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spread } from "../bench/measure.ts";
import { type Clients, makeClients, measure, rows } from "../bench/rows.ts";
import { playScenario, scenarios } from "../bench/scenarios.ts";
import { machine, scenarioLines, table } from "../bench/table.ts";
import { type BenchTarget, costs } from "../bench/target.ts";
import { sharedFleet } from "./support/fleet-addresses.ts";

let target: BenchTarget;
let clients: Clients;
beforeAll(() => {
  const { env, prefix, grpc } = sharedFleet();
  const addresses = {
    kafka: env["AUTH_KAFKA_BROKERS"]!,
    registry: env["AUTH_REGISTRY_URL"]!,
    database: env["AUTH_DATABASE_URL"]!,
    service: "test",
    prefix,
    grpc,
    fleetId: env["AUTH_FLEET_ID"]!,
  };
  target = { addresses, env, ...costs(env), pids: () => ({}), execArgv: [], close: async () => {} };
  clients = makeClients(target, 8);
});
afterAll(() => clients.end());

test.each(rows.map((row) => [row.name, row] as const))(
  "%s",
  async (name, row) => {
    const result = await measure(row, { clients, target }, { repeats: 1, ms: 150 });
    expect(result.row).toBe(name);
    for (const { perSecond, p50, failed } of result.sides) {
      expect(perSecond.min).toBeGreaterThan(0);
      expect(p50.min).toBeGreaterThan(0);
      // Other files' logins fill the same hash lane; any other code is a fault.
      expect(Object.keys(failed).filter((code) => code !== "OVERLOADED")).toEqual([]);
    }
    expect(table([result])).toContain(name);
  },
  60_000,
);

/**
 * Without stopping a worker, which is not this file's to stop: what a scenario does to workers is only seen in `npm run
 * bench`.
 */
test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
  "%s",
  async (name, scenario) => {
    const result = await playScenario(scenario, { clients, target }, { repeats: 1, ms: 150 });
    expect(result.row).toBe(name);
    if (name === "rebalance") return;
    const lines = scenarioLines([result]);
    expect(lines.length).toBeGreaterThan(0);
    for (const { min, median, max } of Object.values(result.figures)) expect([min, max]).toEqual([median, median]);
  },
  60_000,
);

test("the spread of an even and of an odd number of runs", () => {
  expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  expect(spread([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 });
});

test("the machine's cores and memory are reported", () => {
  expect(machine()).toMatchObject({ cores: expect.any(Number), memoryGiB: expect.any(Number) });
});
