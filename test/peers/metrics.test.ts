// /metrics of every process as Prometheus reads it: `promtool check metrics` (Debian's package prometheus brings it)
// finds nothing to say of what a fleet tells that has worked, and neither does it find a broken text right.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { connectGateway } from "../bridge/gateway.ts";
import { type Fleet, type FleetProcess, startFleet } from "../support/fleet.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { confirmed } from "../support/users.ts";
import { run } from "./program.ts";

const processes: FleetProcess[] = ["worker", "relay", "mailer", "bridge"];
/** They are shown instead of sent. */
const mails = {
  AUTH_SMTP_URL: "print:",
  AUTH_MAIL_FROM: "auth@localhost",
  AUTH_MAIL_LINK_URL: "http://localhost/{kind}?token={token}",
};
let own: Fleet;
let fleet: TestFleet;
const endings: (() => unknown)[] = [];
beforeAll(async () => {
  own = await startFleet("metrics", { processes, env: mails });
  endings.push(own.stop);
  fleet = await testFleet(own);
  endings.push(fleet.close);
  const { login, password } = await confirmed(fleet);
  const gateway = await connectGateway(own.grpc);
  for (const guess of [password, "another password"]) await gateway.call("Authenticate", { login, password: guess });
  gateway.close();
}, 180_000);
afterAll(async () => {
  for (const ending of endings.reverse()) await ending();
});

async function promtool(metrics: string): Promise<{ code: number | null; said: string }> {
  const { code, stdout, stderr } = await run("promtool", ["check", "metrics"], { input: metrics });
  return { code, said: (stdout + stderr).trim() };
}

describe("promtool check metrics", () => {
  test.each(processes)("finds nothing wrong in those of a %s", async (kind) => {
    const response = await fetch(`${own.http[`${kind}-1`]}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const metrics = await response.text();
    expect(metrics).toMatch(/^auth_\w+(\{.*\})? \S+$/m);
    expect(await promtool(metrics)).toEqual({ code: 0, said: "" });
  });

  test.each([
    ["a text that cannot be read", 'auth_calls_total{code="OK} 1\n'],
    ["a counter without _total", "# HELP auth_calls Calls.\n# TYPE auth_calls counter\nauth_calls 1\n"],
    ["a metric without a help", "# TYPE auth_calls_total counter\nauth_calls_total 1\n"],
  ])("the control: finds %s", async (_, metrics) => {
    const { code, said } = await promtool(metrics);
    expect(code).not.toBe(0);
    expect(said).not.toBe("");
  });
});
