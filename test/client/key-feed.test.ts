// What counts of what stands on auth.key, record by record: with the fleet's id known, and without.
import { createHash, generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { type KeyFeed, makeKeyFeed } from "../../src/client/key-feed.ts";
import { keyThumbprint, makeCert, mostVersion, publicMembers } from "../../src/protocol/fleet-cert.ts";

const hour = 3_600_000;
const start = 1_800_000_000_000;

function pair(kind: "EC" | "Ed25519" = "EC") {
  const { privateKey, publicKey } =
    kind === "EC" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  const publicJwk = publicMembers(publicKey.export({ format: "jwk" }))!;
  return { privateKey, publicJwk, kid: keyThumbprint(publicJwk)! };
}

const root = pair();
const stranger = pair();
const [first, second, signing, edwards] = [pair(), pair(), pair(), pair("Ed25519")];

type Body = Record<string, unknown>;

interface Making {
  use?: "enc" | "sig";
  alg?: string;
  state?: string;
  version?: number;
  by?: typeof root;
  at?: number;
}

/** A record as the fleet writes it. */
function record({ publicJwk, kid }: typeof root, making: Making = {}): Body {
  const { use = "enc", state = "active", version = 1, by = root, at = start } = making;
  const alg = making.alg ?? (use === "enc" ? "ECDH-ES+A256KW" : "ES256");
  const cert = makeCert(by, { jwk: { ...publicJwk, alg }, use, version, state }, at);
  return { ...publicJwk, kid, use, alg, state, createdAt: at, activeAt: at, retiredAt: null, version, cert };
}

const gone = (kid: string, version: number): Body => ({ kid, gone: true, version });

function feed(trusted: ReadonlySet<string> | "anybody" = new Set([root.kid])) {
  const fleetIds = trusted === "anybody" ? undefined : trusted;
  const time = { now: start };
  const rejected: string[] = [];
  const keys: KeyFeed = makeKeyFeed({ fleetIds, now: () => time.now, rejected: (kid) => void rejected.push(kid) });
  const take = (...bodies: (Body | string | null)[]): void => {
    for (const body of bodies) {
      const value = body === null ? null : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
      const key = Buffer.from(String(typeof body === "object" ? (body?.["kid"] ?? first.kid) : first.kid));
      keys.take([{ topic: "auth.key", partition: 0, offset: 0n, timestamp: time.now, key, value, headers: {} }]);
    }
  };
  return { keys, take, rejected, time };
}

describe("where the fleet's id is known", () => {
  test("a key with a certificate that fits counts, for what it is for", () => {
    const { keys, take, rejected } = feed();
    take(record(first), record(signing, { use: "sig" }), record(edwards, { use: "sig", alg: "EdDSA", state: "next" }));
    expect(keys.sealing()).toEqual({ ...first.publicJwk, kid: first.kid });
    expect(keys.verification(signing.kid)).toMatchObject({ kid: signing.kid, alg: "ES256" });
    expect(keys.verification(first.kid)).toBeUndefined();
    expect(keys.jwks().keys).toEqual([
      { ...signing.publicJwk, kid: signing.kid, use: "sig", alg: "ES256" },
      { ...edwards.publicJwk, kid: edwards.kid, use: "sig", alg: "EdDSA" },
    ]);
    expect([keys.size, rejected, keys.uncertified]).toEqual([2, [], undefined]);
  });

  const theirs = record(stranger, { by: stranger });
  test.each<[string, Body]>([
    ["without a certificate", { ...record(stranger), cert: undefined }],
    ["with a certificate by its own root", theirs],
    ["with the certificate of another key", { ...theirs, cert: record(first)["cert"] }],
    ["under the name of a key of the fleet", { ...theirs, kid: first.kid }],
    ["under that name, with its certificate", { ...theirs, kid: first.kid, cert: record(first)["cert"] }],
    ["in another state than is certified", { ...record(first, { state: "retired" }), state: "active" }],
    ["in another version than is certified", { ...record(first), version: 2 }],
    ["for another use than is certified", { ...record(first), use: "sig", alg: "ES256" }],
    ["for another algorithm than is certified", { ...record(edwards, { use: "sig", alg: "ES256" }), alg: "EdDSA" }],
    ["with another member than is certified", { ...record(first), x: stranger.publicJwk.x }],
    ["without a version", { ...record(first), version: undefined }],
    ["with another kid inside than its record's key", { ...record(first), kid: second.kid }],
    ["that is a secret one", { ...record(first), kty: "oct", k: "AAAA" }],
  ])("one %s does not", (_what, body) => {
    const { keys, take } = feed();
    take(body);
    expect([keys.sealing(), keys.size, keys.jwks().keys]).toEqual([undefined, 0, []]);
    take(record(first)); // the control, and what came before is in nobody's way
    expect(keys.sealing()?.kid).toBe(first.kid);
  });

  test.each<[string, string | null]>([
    ["a tombstone", null],
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["a number", "7"],
    ["an empty text", ""],
  ])("%s takes no key away", (_what, value) => {
    const { keys, take } = feed();
    take(record(first), value);
    expect(keys.sealing()?.kid).toBe(first.kid);
  });

  test("each key that does not count is told of once, and however many are written, of so many only", () => {
    const { keys, take, rejected } = feed();
    take(theirs, theirs);
    expect([rejected, keys.uncertified]).toEqual([[stranger.kid], stranger.kid]);
    for (let n = 0; n < 150; n += 1) take(record(pair(), { by: stranger }));
    expect(rejected).toHaveLength(100);
  });

  test("what comes late takes nothing back: not a change of state, and not that a key is gone", () => {
    const { keys, take } = feed();
    const stages = ["next", "active", "retired"].map((state, at) => record(first, { state, version: at + 1 }));
    take(...stages, record(second), stages[1]!, stages[0]!);
    expect(keys.sealing()?.kid).toBe(second.kid);
    take(gone(second.kid, 2), record(second));
    expect(keys.sealing()?.kid).toBe(first.kid); // retired still: that came last
    take(gone(first.kid, 4), ...stages, record(first, { version: 4 }), gone(first.kid, 3));
    expect(keys.sealing()).toBeUndefined();
    take(record(first, { version: 5 })); // the control: what is newer counts
    expect(keys.sealing()?.kid).toBe(first.kid);
  });

  test("that a key is gone counts also of one that was never seen", () => {
    const { keys, take } = feed();
    take(gone(first.kid, 3), record(first, { version: 2 }));
    expect(keys.sealing()).toBeUndefined();
  });

  test("that a key is gone, in whatever version, is not the last word on it: a later certificate in the same version is later", () => {
    for (const version of [2, mostVersion]) {
      const { keys, take, time } = feed();
      take(record(first));
      time.now = start + 1000;
      take(gone(first.kid, version));
      expect(keys.sealing()).toBeUndefined();
      take(record(first, { version, at: start }), record(first, { version, at: start + 1000 }));
      expect(keys.sealing()).toBeUndefined(); // the control: these are not later
      take(record(first, { version, at: start + 2000 }), gone(first.kid, version));
      expect(keys.sealing()?.kid).toBe(first.kid);
      time.now = start + 3000;
      take(gone(first.kid, version), record(first, { version, at: start + 2000 })); // said once more, later still
      expect(keys.sealing()).toBeUndefined();
    }
  });

  test("no version that somebody writes without a certificate stands in a key's way", () => {
    const { keys, take } = feed();
    for (const version of [2, mostVersion, 2 ** 53, Number.MAX_VALUE]) {
      const { cert, ...junk } = record(first, { version: Math.min(version, mostVersion) });
      const changed = `${String(cert).slice(0, -2)}AA`;
      take({ kid: first.kid, version }, { ...junk, version }, { ...junk, version, cert: changed });
      take({ kid: first.kid, version, gone: "true" }, { ...gone(first.kid, version + 2 ** 52) });
    }
    take(record(first));
    expect(keys.sealing()?.kid).toBe(first.kid);
  });

  test("however many keys are said to be gone, so many are remembered, and none of the fleet's is forgotten", () => {
    const { keys, take } = feed();
    take(record(second));
    const names = Array.from({ length: 10_050 }, (_, n) => createHash("sha256").update(`${n}`).digest("base64url"));
    for (const name of ["", "x", "x".repeat(100_000), ...names]) take(gone(name, 9));
    const last = pair();
    take(gone(last.kid, 3), record(last, { version: 2, at: start + 1000 }));
    expect(keys.sealing()?.kid).toBe(last.kid); // nothing is remembered any more of what was never seen,
    take(record(first, { at: start + 2000 }));
    expect(keys.sealing()?.kid).toBe(first.kid); // keys come,
    take(gone(first.kid, 2), gone(last.kid, 3), gone(second.kid, 2));
    expect(keys.sealing()).toBeUndefined(); // and go
  });

  test("a record that is longer than any of ours is not looked into", () => {
    const { keys, take } = feed();
    take({ ...record(first), more: "x".repeat(16_384) });
    expect(keys.sealing()).toBeUndefined();
    take({ ...record(first), more: "x".repeat(10_000) }); // the control
    expect(keys.sealing()?.kid).toBe(first.kid);
  });

  test("a certificate is good for two days, and the one that ends last counts", () => {
    const { keys, take, time } = feed();
    take(record(first, { at: start + 24 * hour }), record(first));
    time.now = start + 71 * hour;
    expect(keys.sealing()?.kid).toBe(first.kid);
    time.now = start + 73 * hour;
    expect([keys.sealing(), keys.uncertified]).toEqual([undefined, first.kid]);
    take(record(first, { at: start + 72 * hour }));
    expect(keys.sealing()?.kid).toBe(first.kid);
  });

  test("of two active keys the one that was certified last is sealed to: the other's end has not been heard of", () => {
    const { keys, take } = feed();
    take(record(second, { at: start + hour }), record(first));
    expect(keys.sealing()?.kid).toBe(second.kid);
  });

  test("two roots count while the root key turns, and after that one", () => {
    const { keys, take } = feed(new Set([root.kid, stranger.kid]));
    take(record(first), record(second, { by: stranger, at: start + 1000 }));
    expect(keys.sealing()?.kid).toBe(second.kid);
    const after = feed(new Set([stranger.kid]));
    after.take(record(first), record(second, { by: stranger }));
    expect(after.keys.sealing()?.kid).toBe(second.kid);
  });
});

describe("where the fleet's id is not known", () => {
  test("whoever writes there is believed, but for another key's name, and what comes late", () => {
    const { keys, take } = feed("anybody");
    take(record(first), { ...record(stranger, { by: stranger }), activeAt: start + hour, cert: undefined });
    expect(keys.sealing()?.kid).toBe(stranger.kid);
    take({ ...record(second), kid: first.kid, version: 2 } as JsonWebKey & Body);
    expect(keys.sealing()?.kid).toBe(stranger.kid);
    take(gone(stranger.kid, 2), record(stranger));
    expect(keys.sealing()?.kid).toBe(first.kid);
  });
});
