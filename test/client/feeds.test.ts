// A verifier whose clock is wrong, or that was away for longer than the feeds remember, over a port to Kafka that the test plays: no test can
// wait for days.
import { beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import type { ConsumeOptions, KafkaPort } from "../../src/bus/kafka.ts";
import type { InRecord } from "../../src/bus/records.ts";
import { makeKeyReader } from "../../src/client/key-reader.ts";
import { makeVerifier, type Verifier } from "../../src/client/verifier.ts";
import { makeLogger } from "../../src/log.ts";
import { refusalOf } from "../support/people.ts";

type Pair = Awaited<ReturnType<typeof generateKeyPair>> & { jwk: JWK; kid: string };
const minute = 60_000;
const start = 1_790_000_000_000;
/** The fleet's clock; the verifier's is off by so much. */
const time = { ms: start, off: 0 };
const clock = { now: () => time.ms + time.off, monotonic: () => time.ms - start };

let [first, second]: Pair[] = [];
beforeAll(async () => {
  [first, second] = await Promise.all([pair(), pair()]);
});

async function pair(): Promise<Pair> {
  const keys = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(keys.publicKey);
  return { ...keys, jwk, kid: await calculateJwkThumbprint(jwk) };
}

type Played = ConsumeOptions & { closed: boolean };
let consumptions: Played[];
/** Records of auth.key so far. */
let keyEnd: bigint;
let verifier: Verifier;
beforeEach(() => {
  time.ms = start;
  time.off = 0;
  consumptions = [];
  keyEnd = 0n;
  const consume = (options: ConsumeOptions) => {
    const consumption = { ...options, closed: false };
    consumptions.push(consumption);
    options.onAssigned(new Map(options.topics.map((topic) => [topic, [0]])));
    const close = async () => {
      consumption.closed = true;
    };
    return { joined: Promise.resolve(), healthy: true, close };
  };
  const kafka = { consume, endOffsets: async () => new Map([[0, keyEnd]]) } as unknown as KafkaPort;
  const parts = { kafka, name: "test", log: makeLogger("silent", {}), clock };
  verifier = makeVerifier(
    {
      ...parts,
      keys: makeKeyReader(parts),
      inspect: () => Promise.reject(new Error("somebody was asked")),
    },
    { whenStale: "refuse" },
  );
});

const readersOf = (topic: string): Played[] => consumptions.filter(({ topics }) => topics.includes(topic));

/** A record comes, on the reader given or on the topic's last. */
function comes(topic: string, key: string, body: object, reader = readersOf(topic).at(-1)!): void {
  const value = Buffer.from(JSON.stringify(body));
  const offset = topic === "auth.key" ? keyEnd : 0n;
  if (topic === "auth.key") keyEnd += 1n;
  const record: InRecord = { topic, partition: 0, offset, timestamp: 0, key: Buffer.from(key), value, headers: {} };
  reader.onRecords([record], { topic, partition: 0 }, 1n);
}

const keyOf = ({ jwk, kid }: Pair) => ({ ...jwk, kid, use: "sig", alg: "ES256", state: "active", version: 1 });
const publish = (pair: Pair): void => comes("auth.key", pair.kid, keyOf(pair));
const mark = (reader?: Played): void => comes("auth.revocation", "asOf", { asOf: time.ms }, reader);
/** What waits in promises of other parts goes on. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));
const passes = (ms: number): void => {
  time.ms += ms;
};

const session = "0199f3a0-1111-7222-8333-444455556666";
async function token({ privateKey, kid }: Pair, lifeMs = 15 * minute): Promise<string> {
  const iat = Math.floor(time.ms / 1000);
  const claims = { login: "ada", roles: [], sid: session, gen: 0, amr: ["pwd"], auth_time: iat, client_id: "platform" };
  return new SignJWT({ ...claims, iss: "auth", aud: "platform", sub: "7", jti: "x", iat, exp: iat + lifeMs / 1000 })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid })
    .sign(privateKey);
}

const judged = async (text: string): Promise<string> => {
  const answer = verifier.verify(text);
  return answer.then(
    () => "ok",
    () => refusalOf(answer),
  );
};

describe("a clock that is ten minutes behind", () => {
  test("makes no token live longer: not one whose revocation is forgotten by now", async () => {
    time.off = -10 * minute;
    publish(first!);
    mark();
    const short = await token(first!, minute);
    expect(await judged(short)).toBe("ok");
    passes(2 * minute);
    mark();
    expect(await judged(short)).toBe("TOKEN_EXPIRED");
    expect(await judged(await token(first!))).toBe("ok"); // the control
  });

  test("hides no feed that stands still", async () => {
    time.off = -10 * minute;
    publish(first!);
    mark();
    const good = await token(first!);
    expect(await judged(good)).toBe("ok");
    passes(11_000);
    expect([verifier.fresh, await judged(good)]).toEqual([false, "UNAVAILABLE"]);
  });
});

test("a clock that is a minute ahead is not fresh, and says so, rather than guess", async () => {
  time.off = minute;
  publish(first!);
  mark();
  expect([verifier.fresh, verifier.ageMs]).toEqual([false, minute]);
  expect(await judged(await token(first!))).toBe("UNAVAILABLE");
});

describe("an absence", () => {
  const day = 24 * 60 * minute;

  test("longer than the feeds remember: no key counts before auth.key is read to its end, and then not one that went meanwhile", async () => {
    publish(first!);
    publish(second!);
    mark();
    expect(await judged(await token(first!))).toBe("ok");
    passes(2 * day); // and in the meantime the first key was revoked: its revocation is forgotten, and auth.key says more than was read
    keyEnd += 1n;
    mark();
    const before = readersOf("auth.revocation");
    expect(before.map(({ closed }) => closed)).toEqual([true, false]);
    mark(before[0]); // what the reader of before still had counts no more
    expect(verifier.fresh).toBe(false);
    mark();
    const [stolen, good] = [await token(first!), await token(second!)];
    expect([verifier.fresh, await judged(stolen), await judged(good)]).toEqual([true, "UNAVAILABLE", "UNAVAILABLE"]);
    keyEnd -= 1n;
    comes("auth.key", first!.kid, { kid: first!.kid, gone: true, version: 2 });
    await settled();
    mark();
    expect([await judged(stolen), await judged(good)]).toEqual(["UNAVAILABLE", "ok"]); // who asks nobody about an unknown key says so
  });

  test("leaves every revocation that is known in force while the feeds are read anew", async () => {
    publish(first!);
    mark();
    const good = await token(first!, day);
    comes("auth.revocation", `s:${session}`, { at: time.ms });
    passes(6 * minute);
    mark();
    publish(first!);
    expect(verifier.fresh).toBe(false);
    expect(await judged(good)).toBe("SESSION_REVOKED");
  });

  test("that the feeds remember is caught up with where it was", async () => {
    publish(first!);
    mark();
    passes(4 * minute);
    mark();
    expect(readersOf("auth.revocation")).toHaveLength(1);
    expect(await judged(await token(first!))).toBe("ok");
  });
});
