// The schedule of keys, over any history: there is always one active key per use, nobody meets a key that was not
// published long enough, and none goes while something of it may be under way.
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { purposes } from "../../src/crypto/envelope.ts";
import type { KeyRow } from "../../src/crypto/keys.ts";
import { type DataKeyRules, dueDataKeys } from "../../src/keys/data-keys.ts";
import { dueSteps, type KeyRules } from "../../src/keys/key-schedule.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const rules: KeyRules = {
  signingAlg: "ES256",
  rotateEveryMs: 30 * day,
  publishAheadMs: 10 * minute,
  keepMs: { sig: 16 * minute, enc: day },
};

type Row = Omit<KeyRow, "publicJwk" | "encryptedPrivateKey" | "version" | "cert">;
interface World {
  rows: Row[];
  made: number;
  /** kid -> when it was retired, of keys that are gone. */
  gone: { use: string; kept: number }[];
}

const first = (): World => ({
  made: 2,
  gone: [],
  rows: (["sig", "enc"] as const).map((use) => ({
    kid: `${use}-0`,
    use,
    alg: use === "sig" ? "ES256" : "ECDH-ES+A256KW",
    state: "active",
    createdAt: 0,
    activeAt: 0,
    retiredAt: null,
    certifiedAt: 0,
  })),
});

/** Carries out what is due until nothing is. @returns how many rounds that took */
function settle(world: World, now: number, given: KeyRules = rules): number {
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const steps = dueSteps(world.rows, now, given);
    if (steps.length === 0) return rounds;
    for (const step of steps) carryOut(world, step, now);
  }
  throw new Error("it never settles");
}

function carryOut(world: World, step: ReturnType<typeof dueSteps>[number], now: number): void {
  if (step.do === "make") {
    const use = step.alg === "ECDH-ES+A256KW" ? "enc" : "sig";
    const kid = `${use}-${world.made}`;
    world.made += 1;
    const times = { createdAt: now, activeAt: null, retiredAt: null, certifiedAt: now };
    world.rows.push({ kid, use, alg: step.alg, state: "next", ...times });
  } else if (step.do === "activate") {
    for (const row of world.rows) {
      if (row.use === step.use && row.state === "active") Object.assign(row, { state: "retired", retiredAt: now });
      if (row.kid === step.kid) Object.assign(row, { state: "active", activeAt: now });
    }
  } else if (step.do === "certify") {
    for (const row of world.rows) if (row.kid === step.kid) row.certifiedAt = now;
  } else {
    const row = world.rows.find(({ kid }) => kid === step.kid)!;
    world.gone.push({ use: row.use, kept: now - row.retiredAt! });
    world.rows = world.rows.filter(({ kid }) => kid !== step.kid);
  }
}

const active = (world: World, use: string) => world.rows.filter((row) => row.use === use && row.state === "active");

test("over any pauses between its rounds: one active key per use, published long enough, kept long enough", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3 * day }), { minLength: 1, maxLength: 200 }), (pauses) => {
      const world = first();
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        settle(world, now);
        for (const use of ["sig", "enc"]) expect(active(world, use)).toHaveLength(1);
      }
      for (const { createdAt, activeAt, kid } of world.rows) {
        if (activeAt !== null && !kid.endsWith("-0")) expect(activeAt - createdAt).toBeGreaterThanOrEqual(10 * minute);
      }
      for (const { use, kept } of world.gone) expect(kept).toBeGreaterThanOrEqual(use === "sig" ? 16 * minute : day);
    }),
  );
});

test("keys turn about every thirty days", () => {
  const world = first();
  for (let now = 0; now <= 301 * day; now += 5 * minute) settle(world, now);
  expect(world.made).toBe(2 + 2 * 10);
});

test("a next key that an operator asked for comes into use as soon as it is known", () => {
  const world = first();
  const asked = day / 2;
  carryOut(world, { do: "make", alg: "ES256" }, asked);
  expect(settle(world, asked + 10 * minute - 1)).toBe(0);
  settle(world, asked + 10 * minute);
  expect(active(world, "sig")[0]!.kid).toBe("sig-2");
});

test("certificates, which are good for two days, are renewed each day, those of keys that are over excepted", () => {
  const world = first();
  for (let now = 0; now <= 62 * day; now += 15 * minute) {
    settle(world, now);
    for (const { certifiedAt } of world.rows) expect(now - certifiedAt!).toBeLessThan(day);
  }
  world.rows[0]!.certifiedAt = null; // a row from before there were certificates
  expect(dueSteps(world.rows, 62 * day, rules)).toEqual([{ do: "certify", kid: world.rows[0]!.kid }]);
});

test("another algorithm in the configuration is a rotation, and not an endless one", () => {
  const world = first();
  const other: KeyRules = { ...rules, signingAlg: "EdDSA" };
  settle(world, day, other);
  settle(world, day + 10 * minute, other);
  expect(active(world, "sig")[0]!.alg).toBe("EdDSA");
  expect(settle(world, day + 11 * minute, other)).toBe(0);
});

describe("data keys", () => {
  const dataRules: DataKeyRules = { rotateEveryMs: 30 * day, keepDataMs: { inbox: 61 * day } };
  const all = (id: number, createdAt: number) =>
    purposes.map((purpose, at) => ({ id: id + at, purpose: purpose as string, createdAt }));

  test("are followed by others after the same time, each purpose by itself", () => {
    const rows = all(1, 0);
    expect(dueDataKeys(rows, 30 * day - 1, dataRules)).toEqual({ make: [], remove: [] });
    // What must be found again after months keeps its key (the control is every other one).
    const turning = purposes.filter((purpose) => purpose !== "lookup");
    expect(dueDataKeys(rows, 30 * day, dataRules).make).toEqual(turning);
    const without = rows.filter(({ purpose }) => purpose !== "lookup");
    expect(dueDataKeys(without, 30 * day, dataRules).make).toEqual(purposes);
    const more = [...rows, { id: 100, purpose: "inbox", createdAt: 30 * day }];
    expect(dueDataKeys(more, 31 * day, dataRules).make).toEqual(turning.filter((purpose) => purpose !== "inbox"));
  });

  test("are removed long after their successor came, and only where it is said how long that is", () => {
    const rows = [...all(1, 0), ...all(100, 30 * day), ...all(200, 60 * day)];
    const removed = (now: number) => dueDataKeys(rows, now, dataRules).remove.map(({ id }) => id);
    const first = 1 + purposes.indexOf("inbox");
    expect(removed(91 * day - 1)).toEqual([]);
    expect(removed(91 * day)).toEqual([first]);
    expect(removed(5000 * day)).toEqual([first, first + 99]); // never the newest
  });
});
