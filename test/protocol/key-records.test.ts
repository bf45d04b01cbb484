// What relays write to auth.key again: whatever last record the topic has, it ends as the database says, and where it
// is so nothing is written.
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { KeyRow } from "../../src/crypto/keys.ts";
import { keyThumbprint, makeCert, mostVersion, publicMembers, readKeyRecord } from "../../src/protocol/fleet-cert.ts";
import { goneRecord, type KeyRepair, keyRecord, keyRepairs, type LastRecord } from "../../src/protocol/key-records.ts";

function pair() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicJwk = publicMembers(publicKey.export({ format: "jwk" }))!;
  return { privateKey, publicJwk, kid: keyThumbprint(publicJwk)! };
}

const root = pair();
const roots = new Set([root.kid]);
const [live, dead, unknown, stranger] = [pair(), pair(), pair(), pair()];

function row({ publicJwk, kid }: typeof root, version: number, by = root): KeyRow {
  const key = { use: "enc", state: "active", version } as const;
  const cert = makeCert(by, { jwk: { ...publicJwk, alg: "ECDH-ES+A256KW" }, ...key }, version * 1000);
  const times = { createdAt: 1, activeAt: 2, retiredAt: null, certifiedAt: 3 };
  return { kid, publicJwk, alg: "ECDH-ES+A256KW", encryptedPrivateKey: Buffer.alloc(0), cert, ...key, ...times };
}

const current = row(live, 5);
const truth = { rows: [current], gone: [{ kid: dead.kid, version: 3 }] };
type Body = LastRecord["body"];
const at = 1_800_000_000_000;
const lastOf = (bodies: Record<string, Body>) =>
  new Map(Object.entries(bodies).map(([kid, body]) => [kid, { body, at }]));
const repairs = (last: Record<string, Body>) => keyRepairs(truth, lastOf(last), roots);
const good = { [live.kid]: keyRecord(current), [dead.kid]: goneRecord({ kid: dead.kid, version: 3 }) };

test("a topic that says what the database says is left alone", () => {
  expect(repairs(good)).toEqual([]);
  const value = Buffer.from(JSON.stringify({ ...keyRecord(current) }));
  expect(repairs({ ...good, [live.kid]: readKeyRecord(value) })).toEqual([]); // as it comes back from the topic
});

describe("written again is", () => {
  const of = (kid: string, version: number) => [{ kid, version }];
  test.each<[string, Record<string, Body>, KeyRepair[]]>([
    ["a key that the topic does not have", { [live.kid]: undefined }, of(live.kid, 5)],
    ["a key that came late in an older version", { [live.kid]: keyRecord(row(live, 4)) }, of(live.kid, 5)],
    ["a key in another state", { [live.kid]: { ...keyRecord(current), state: "retired" } }, of(live.kid, 5)],
    ["a key without its certificate", { [live.kid]: { ...keyRecord(current), cert: null } }, of(live.kid, 5)],
    ["a key that is said to be gone", { [live.kid]: goneRecord({ kid: live.kid, version: 5 }) }, of(live.kid, 6)],
    [
      "a key that was said to be gone later",
      { [live.kid]: goneRecord({ kid: live.kid, version: 9 }) },
      of(live.kid, 10),
    ],
    ["a key in a version of another time", { [live.kid]: keyRecord(row(live, 8)) }, of(live.kid, 9)],
    ["that a key is gone, of which the topic has nothing", { [dead.kid]: undefined }, of(dead.kid, 3)],
    ["that a key is gone, which came late", { [dead.kid]: keyRecord(row(dead, 2)) }, of(dead.kid, 3)],
    ["that a key is gone, as the last word of its version", { [dead.kid]: keyRecord(row(dead, 7)) }, of(dead.kid, 7)],
    ["that a key is gone which only our root knows", { [unknown.kid]: keyRecord(row(unknown, 2)) }, of(unknown.kid, 3)],
  ])("%s", (_what, last, expected) => {
    expect(repairs({ ...good, ...last })).toEqual(expected);
  });
});

test("nothing is said of keys that anybody may have written, nor can a version be used up", () => {
  const foreign = keyRecord(row(stranger, 2, stranger));
  const copied = { ...foreign, cert: current.cert }; // of a key of ours
  expect(repairs({ ...good, [stranger.kid]: copied })).toEqual([]);
  expect(repairs({ ...good, [stranger.kid]: foreign, x: undefined, y: { kid: "y", gone: true, version: 1 } })).toEqual(
    [],
  );
  // What has no certificate counts for nobody and raises nothing; a version that is none says nothing.
  const none = [{ kid: live.kid, version: 5 }];
  for (const version of [6, mostVersion - 1, mostVersion, 2 ** 53, 1e300])
    for (const junk of [
      { kid: live.kid, version },
      { ...keyRecord(current), version },
    ])
      expect([version, repairs({ ...good, [live.kid]: junk })]).toEqual([version, none]);
  expect(repairs({ ...good, [live.kid]: { kid: live.kid, gone: true, version: 1e300 } })).toEqual(none);
});

test("a key that is said to be gone in the highest version there is comes back in that one, by a new certificate", () => {
  const gone = goneRecord({ kid: live.kid, version: mostVersion });
  const mended = [{ kid: live.kid, version: mostVersion, after: at }];
  expect(repairs({ ...good, [live.kid]: gone })).toEqual(mended);
  const again = keyRepairs({ ...truth, rows: [row(live, mostVersion)] }, lastOf({ ...good, [live.kid]: gone }), roots);
  expect(again).toEqual(mended); // also the next time
});

test("over any last records: what is written again leaves nothing to repair, and is above what was there", () => {
  const version = fc.integer({ min: 1, max: 20 });
  const last = fc.oneof(
    fc.constant(undefined),
    version.map((n) => goneRecord({ kid: live.kid, version: n })),
    version.map((n) => keyRecord(row(live, n))),
    fc.object().map((any) => any as Record<string, unknown>),
  );
  fc.assert(
    fc.property(last, (seen) => {
      const [repair, ...more] = repairs({ ...good, [live.kid]: seen });
      expect(more).toEqual([]);
      if (repair === undefined) return;
      const mended = row(live, repair.version);
      const after = keyRepairs({ ...truth, rows: [mended] }, lastOf({ ...good, [live.kid]: keyRecord(mended) }), roots);
      expect(after).toEqual([]);
      const { gone, kid, version: before } = seen ?? {};
      if (gone === true) expect(repair.version).toBeGreaterThan(Number(before));
      else if (kid === live.kid) expect(repair.version).toBeGreaterThanOrEqual(Number(before));
    }),
    { numRuns: 100 },
  );
});
