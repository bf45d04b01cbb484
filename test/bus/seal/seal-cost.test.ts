// Whoever can write to a request topic can send garbage: refusing it may not cost a worker much more than opening a
// request does. Asking jose as well where our own opening fails made it five times as much.
import { generateKeyPairSync } from "node:crypto";
import { openRequest } from "../../../src/bus/seal/seal.ts";
import { ephemeralPair, forge, withParts } from "../../support/seals.ts";

const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
const recipient = own.publicKey.export({ format: "jwk" });
const now = 1_790_000_000_000;
const header = { kid: "fleet", top: "topic", rpt: "replies", rkt: "key", jti: "id", exp: now / 1000 + 60 };
const bound = { topic: "topic", replyTopic: "replies", replyKeyThumbprint: "key", idempotencyKey: "id" };
const record = { clear: {}, ...bound, requireSealed: true, receivedAt: now };
const sealed = (more: object = {}): string =>
  forge({ header: { ...header, ...more }, content: '{"password":"x"}', recipient });

async function opens(text: string): Promise<boolean> {
  const request = { ...record, sealed: text, keys: () => own.privateKey, sealedFields: ["password"] };
  return await openRequest(request).then(
    () => true,
    () => false,
  );
}

const rounds = 300;

/** CPU time of this process for each, in us; the best of three, since a collection of garbage may fall into any. */
async function cost(make: () => string, good: boolean): Promise<number> {
  const costs: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const texts = Array.from({ length: rounds }, make);
    const before = process.cpuUsage();
    for (const text of texts) expect(await opens(text)).toBe(good);
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / rounds);
  }
  return Math.min(...costs);
}

const flipped = (at: number) => (): string =>
  withParts(sealed(), (parts) =>
    parts.map((part, index) => {
      if (index !== at) return part;
      const bytes = Buffer.from(part, "base64url");
      bytes[0]! ^= 1;
      return bytes.toString("base64url");
    }),
  );
const { x, y } = ephemeralPair().publicKey.export({ format: "jwk" });

describe("a seal that is refused", () => {
  let serving: number;
  beforeAll(async () => {
    serving = await cost(sealed, true); // each by a sender of its own, as garbage is
  });

  it.each<[string, () => string]>([
    ["its wrapped key is not right", flipped(1)],
    ["its text is not right", flipped(3)],
    ["its tag is not right", flipped(4)],
    ["its epk is no point of the curve", () => sealed({ epk: { kty: "EC", crv: "P-256", x: y, y: x } })],
    ["its time is past", () => sealed({ exp: 1 })],
    ["its algorithm is another", () => sealed({ alg: "PBES2-HS256+A128KW", p2s: "c2FsdHNhbHQ", p2c: 2 ** 31 - 1 })],
  ])("costs no more than three that open where %s", async (_why, make) => {
    expect(await cost(make, false)).toBeLessThan(3 * serving);
  });
});
