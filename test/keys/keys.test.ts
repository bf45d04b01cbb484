// The fleet's keys live: they are published, they turn under load without a refusal, and they are kept as long as they
// are needed.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { decodeProtectedHeader } from "jose";
import { makeKeyReader } from "../../src/client/key-reader.ts";
import { readConfig } from "../../src/config/read.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { rotateDueKeys } from "../../src/keys/fleet-keys.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { keyDepsFor } from "../../src/processes/parts.ts";
import type { Refusal } from "../../src/protocol/errors.ts";
import { called } from "../authctl/authctl.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { failures, newUsers, startLoad } from "../support/load.ts";
import { quiet } from "../support/logger.ts";
import { type Mailbox, mailbox } from "../support/mailbox.ts";
import { type TestFleet, testFleet } from "../support/test-fleet.ts";
import { until } from "../support/until.ts";
import { type Confirmed, loggedIn } from "../support/users.ts";

const aheadMs = 4000;
let own: Fleet;
let fleet: TestFleet;
let feed: Mailbox;
let pool: DatabasePool;
let users: Confirmed[];
beforeAll(async () => {
  own = await startFleet("keys", { env: { AUTH_KEY_PUBLISH_AHEAD: `${aheadMs / 1000}s` } });
  fleet = await testFleet(own);
  feed = mailbox(fleet.kafka, ["auth.key"]);
  const url = own.env["AUTH_DATABASE_URL"]!;
  pool = await openPool({ url, size: 2, applicationName: "test keys" });
  [users] = await Promise.all([newUsers(fleet, 6), feed.ready]);
}, 60_000);
afterAll(async () => {
  await pool.end();
  await fleet.close();
  await own.stop();
});

interface Listed {
  kid: string;
  use: string;
  alg: string;
  state: string;
}

const keys = async (...words: string[]) => {
  const { code, stdout, stderr } = await called(["keys", ...words, "--json"], own.env);
  return { code, stderr, document: JSON.parse(stdout || "{}") as { keys: Listed[]; done: string[]; wrapped: number } };
};
const listed = async (): Promise<Listed[]> => (await keys("list")).document.keys;
const active = async (use: string): Promise<string> =>
  (await listed()).find((key) => key.use === use && key.state === "active")!.kid;
const published = (kid: string) => feed.all("auth.key").filter(({ key }) => key?.toString() === kid);
const kidOf = (token: string): string | undefined => decodeProtectedHeader(token).kid;

describe("a rotation", () => {
  test("publishes first, then uses, keeps what was before, and refuses nobody under load", async () => {
    const [sig, enc] = [await active("sig"), await active("enc")];
    const { accessToken } = await loggedIn(fleet, users[0]!);
    expect(kidOf(accessToken)).toBe(sig);
    const load = startLoad(fleet, users.slice(1), { perSecond: 60, timeoutMs: 15_000 });
    await load.awaitProgress(2);
    const both = await Promise.all([keys("rotate"), keys("rotate")]);
    const done = both.flatMap(({ document }) => document.done).filter((line) => /the next key/.test(line));
    const already = done.filter((line) => /is the next key .* already$/.test(line));
    expect([done.length, already.length]).toEqual([4, 2]); // one of the two made them
    const next = (await listed()).filter(({ state }) => state === "next").map(({ kid }) => kid);
    expect([await active("sig"), await active("enc")]).toEqual([sig, enc]); // published, not used yet
    await until(
      "the next keys are in use",
      async () => next.includes(await active("sig")) && next.includes(await active("enc")),
    );
    await load.awaitProgress(2);
    const actions = await load.stop();
    expect(failures(actions)).toEqual([]);
    console.log(`signing and sealing keys turned under load: ${actions.length} requests, none failed`);
    await until("the worker, which looks every second, signs with it", async () => {
      const fresh = await loggedIn(fleet, users[0]!);
      return kidOf(fresh.accessToken) === (await active("sig"));
    });
    expect(await fleet.client.request("auth.session.inspect", { accessToken })).toMatchObject({
      login: users[0]!.login,
    });
    const states = (await listed()).map(({ use, state }) => `${use} ${state}`).sort();
    expect(states).toEqual(["enc active", "enc retired", "sig active", "sig retired"]);
  }, 60_000);

  test("is on auth.key as a JWK without its private part, state by state, ahead of its use", async () => {
    const kid = await active("sig");
    await until("both states are published", () => published(kid).length >= 2);
    const states = published(kid).map(({ json, timestamp }) => ({ ...json, timestamp }) as Record<string, unknown>);
    expect(states.map(({ state, version }) => [state, version])).toEqual([
      ["next", 1],
      ["active", 2],
    ]);
    expect(states[0]).toMatchObject({ kid, use: "sig", alg: "ES256", kty: "EC", crv: "P-256" });
    expect(states.filter((each) => "d" in each)).toEqual([]);
    expect(Number(states[1]!["activeAt"]) - Number(states[0]!["createdAt"])).toBeGreaterThanOrEqual(aheadMs);
  });

  test("shows the key to take first in auth.key.list", async () => {
    const inUse = [await active("sig"), await active("enc")];
    let list: Listed[] = [];
    // A worker looks once a second whether keys have changed.
    await until("the worker lists the keys in use first", async () => {
      const { jwks } = await fleet.client.request("auth.key.list", {});
      list = (JSON.parse(jwks) as { keys: Listed[] }).keys;
      return ["sig", "enc"].every((use, at) => list.find((key) => key.use === use)!.kid === inUse[at]);
    });
    expect(list).toHaveLength(4);
  });

  test("ends with the old keys gone, when nothing of them can be under way", async () => {
    const config = readConfig(own.env, "ctl");
    const parts = keyDepsFor({ config, clock: { ...systemClock, now: () => systemClock.now() + 86_500_000 } }, pool);
    const retired = (await listed()).filter(({ state }) => state === "retired").map(({ kid }) => kid);
    const done = await rotateDueKeys(parts);
    expect(done.filter((line) => /^removed (?!data key)/.test(line)).sort()).toEqual(
      retired.map((kid) => `removed ${kid}: nothing of it can be under way any more`).sort(),
    );
    const gone = (kid: string) => published(kid).at(-1)?.json;
    await until("auth.key says that they are gone", () => retired.every((kid) => gone(kid)?.["gone"] === true));
    for (const kid of retired) {
      const versions = published(kid).map(({ json }) => Number(json?.["version"]));
      expect(gone(kid)).toEqual({ kid, gone: true, version: Math.max(...versions) });
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
    }
  });
});

describe("the root key", () => {
  interface Roots {
    fleetId: string;
    keys: { kid: string; state: string }[];
    done: string[];
  }
  const root = async (...words: string[]): Promise<Roots> => {
    const { code, stdout } = await called(["keys", "root", ...words, "--json"], own.env);
    expect(code).toBe(0);
    return JSON.parse(stdout) as Roots;
  };
  /** The key that a service would seal to which comes now and knows these thumbprints; or why it seals to none. */
  async function sealing(fleetId: string): Promise<string> {
    const fleetIds = fleetId.split(",");
    const reader = makeKeyReader({ kafka: fleet.kafka, name: "test", log: quiet, clock: systemClock, fleetIds });
    const found = await reader.sealing().then(
      ({ kid }) => kid,
      (error: Refusal) => error.details["reason"]!,
    );
    await reader.close();
    return found;
  }

  test("is what migrate said, and turns by hand: who knows both thumbprints goes on", async () => {
    const { stdout } = await called(["keys", "root"], own.env);
    const old = own.env["AUTH_FLEET_ID"]!;
    expect(stdout).toBe(`${old}\n`);
    const early = await called(["keys", "root", "--switch", "--yes"], own.env);
    expect([early.code, early.stderr]).toEqual([1, expect.stringContaining("make it with --next first")]);

    const [made, again] = [await root("--next"), await root("--next")];
    const next = made.keys[1]!.kid;
    expect(made).toMatchObject({ fleetId: `${old},${next}`, done: [`made ${next}, the next root key`] });
    expect(again).toMatchObject({ fleetId: made.fleetId, done: [`${next} is the next root key already`] });
    const enc = await active("enc");
    expect(await Promise.all([old, made.fleetId, next].map(sealing))).toEqual([enc, enc, "uncertified-key"]);

    expect(await root("--switch", "--yes")).toMatchObject({ fleetId: next, keys: [{ kid: next, state: "active" }] });
    await until("its certificates are published", async () => (await sealing(next)) === enc);
    expect(await sealing(made.fleetId)).toBe(enc);
    await loggedIn(fleet, users[0]!); // who knows the old one alone goes on with what it has read, until that expires
  });

  test("is asked about before it turns, and its two steps are two", async () => {
    const both = await called(["keys", "root", "--next", "--switch"], own.env);
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("two steps")]);
    const unasked = await called(["keys", "root", "--switch", "--json"], own.env);
    expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining("--yes")]);
  });
});

test("keys list prints a table, and keys rotate refuses an unknown use", async () => {
  const { stdout } = await called(["keys", "list"], own.env);
  expect(stdout.split("\n")[0]).toMatch(/^use +state +alg +kid +createdAt/);
  const wrong = await called(["keys", "rotate", "--use", "both"], own.env);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--use takes sig, enc or data, not both.")]);
  const bare = await called(["keys", "list"], { ...own.env, AUTH_MASTER_KEY: "" });
  expect([bare.code, bare.stderr]).toEqual([2, expect.stringContaining("AUTH_MASTER_KEY")]);
});
