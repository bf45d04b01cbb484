// A verifier whose clock is wrong, or that was away for longer than the feeds remember, over a port to Kafka that the test plays: no test can
// wait for days.
import { beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import type { ConsumeOptions, KafkaPort } from "../../src/bus/kafka.ts";
import type { InRecord } from "../../src/bus/records.ts";
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

let consumptions: (ConsumeOptions & { closed: boolean })[];
let verifier: Verifier;
beforeEach(() => {
  time.ms = start;
  time.off = 0;
  consumptions = [];
  const consume = (options: ConsumeOptions) => {
    const consumption = { ...options, closed: false };
    consumptions.push(consumption);
    options.onAssigned(
      new Map([
        ["auth.key", [0]],
        ["auth.revocation", [0]],
      ]),
    );
    const close = async () => {
      consumption.closed = true;
    };
    return { joined: Promise.resolve(), healthy: true, close };
  };
  verifier = makeVerifier(
    {
      kafka: { consume } as unknown as KafkaPort,
      name: "test",
      log: makeLogger("silent", {}),
      clock,
      inspect: () => Promise.reject(new Error("somebody was asked")),
    },
    { whenStale: "refuse" },
  );
});

/** A record comes, on the reader given or on the one of now. */
function comes(topic: string, key: string, body: object | null, reader = consumptions.at(-1)!): void {
  const value = body === null ? null : Buffer.from(JSON.stringify(body));
  const record: InRecord = { topic, partition: 0, offset: 0n, timestamp: 0, key: Buffer.from(key), value, headers: {} };
  reader.onRecords([record], { topic, partition: 0 }, 1n);
}

const publish = ({ jwk, kid }: Pair, reader = consumptions.at(-1)!): void =>
  comes("auth.key", kid, { ...jwk, kid, use: "sig", alg: "ES256", state: "active" }, reader);
const mark = (reader = consumptions.at(-1)!): void => comes("auth.revocation", "asOf", { asOf: time.ms }, reader);
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

  test("longer than the feeds remember: keys that they do not say again are trusted no more", async () => {
    publish(first!);
    mark();
    expect(await judged(await token(first!))).toBe("ok");
    passes(2 * day); // and in the meantime the key was revoked, its tombstone and its revocation are gone
    mark();
    expect(consumptions.map(({ closed }) => closed)).toEqual([true, false]);
    const stolen = await token(first!);
    expect(verifier.fresh).toBe(false);
    publish(first!, consumptions[0]!); // what the reader of before still had counts no more
    publish(second!);
    mark();
    expect(verifier.fresh).toBe(true);
    expect(await judged(await token(second!))).toBe("ok");
    expect(await judged(stolen)).toBe("UNAVAILABLE"); // a key that is not known: the policy here is not to ask
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
    expect(consumptions).toHaveLength(1);
    expect(await judged(await token(first!))).toBe("ok");
  });
});
