// A verifier whose clock is wrong, or that was away for longer than the feeds remember, over a port to Kafka that the
// test plays: no test can wait for days.
import { beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { makeKeyReader } from "../../src/client/key-reader.ts";
import { makeVerifier, type Verifier, type VerifierOptions } from "../../src/client/verifier.ts";
import type { ConsumeOptions, KafkaPort } from "../../src/kafka/kafka.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { makeLogger } from "../../src/runtime/log.ts";
import { refusalOf } from "../support/users.ts";

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
  warnings = [];
  const log = {
    ...makeLogger("silent", {}),
    warn: (...said: unknown[]) => warnings.push(String(said.at(-1))),
  } as never;
  makeOne = (options = {}, itsClock = clock) => {
    const parts = { kafka, name: "test", log, clock: itsClock };
    const inspect = () => Promise.reject(new Error("the fleet was asked"));
    verifier = makeVerifier({ ...parts, keys: makeKeyReader(parts), inspect }, { whenStale: "refuse", ...options });
  };
  makeOne();
});

/** In place of the one that every test has. */
let makeOne: (options?: VerifierOptions, itsClock?: typeof clock) => void;
let warnings: string[];

const readersOf = (topic: string): Played[] => consumptions.filter(({ topics }) => topics.includes(topic));

/**
 * A record comes, on the reader given or on the topic's last, with the broker's time of now unless it says otherwise.
 */
function comes(
  topic: string,
  key: string,
  body: object,
  reader = readersOf(topic).at(-1)!,
  times: Partial<Pick<InRecord, "timestamp" | "producersTime">> = {},
): void {
  const value = Buffer.from(JSON.stringify(body));
  const offset = topic === "auth.key" ? keyEnd : 0n;
  if (topic === "auth.key") keyEnd += 1n;
  const place = { topic, partition: 0, offset, timestamp: time.ms, ...times };
  const record: InRecord = { ...place, key: Buffer.from(key), value, headers: {} };
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
    expect(await judged(await token(first!))).toBe("ok"); // it refuses nothing else
  });

  test("the control: without the fleet's time a token lives on by that clock", async () => {
    makeOne({ whenStale: "accept" });
    time.off = -10 * minute;
    publish(first!);
    mark();
    const short = await token(first!, minute);
    passes(2 * minute); // and no mark comes that says so
    expect(await judged(short)).toBe("ok");
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

  test("the control: by that clock alone the feed looks fresh for ten minutes more", async () => {
    makeOne({}, { ...clock, monotonic: () => 0 });
    time.off = -10 * minute;
    publish(first!);
    mark();
    const good = await token(first!);
    passes(11_000);
    expect([verifier.fresh, await judged(good)]).toEqual([true, "ok"]);
  });
});

test("a verifier's methods may be handed on as functions", async () => {
  publish(first!);
  mark();
  const { verify, ready, jwks, end, close } = verifier;
  const text = await token(first!);
  await ready();
  expect([(await verify(text)).userId, jwks().keys.length]).toEqual([7, 1]);
  end(text);
  expect(await refusalOf(verify(text))).toBe("SESSION_REVOKED");
  await close();
  expect(verifier.fresh).toBe(false);
});

test("a clock that is a minute ahead is not fresh, and says so, rather than guess", async () => {
  time.off = minute;
  publish(first!);
  mark();
  expect([verifier.fresh, verifier.ageMs]).toEqual([false, minute]);
  expect(await judged(await token(first!))).toBe("UNAVAILABLE");
  time.off = 0; // the control: the same marks, by a clock that is right
  expect([verifier.fresh, await judged(await token(first!))]).toEqual([true, "ok"]);
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

describe("whoever writes to the feed", () => {
  const the2100s = Date.UTC(2100, 0, 1);
  const writes = (asOf: number, times?: Partial<InRecord>): void =>
    comes("auth.revocation", "asOf", { asOf }, undefined, times);

  test("neither ends tokens nor makes anything fresh by a mark of another time", async () => {
    publish(first!);
    mark();
    const good = await token(first!);
    writes(the2100s);
    expect([verifier.fresh, verifier.ageMs, await judged(good)]).toEqual([true, 0, "ok"]);
    passes(11_000);
    writes(the2100s); // the true marks stand still
    writes(time.ms + 5001);
    expect([verifier.fresh, await judged(good)]).toEqual([false, "UNAVAILABLE"]);
    writes(time.ms + 4999); // brokers' clocks may differ by so much
    expect([verifier.fresh, await judged(good)]).toEqual([true, "ok"]);
  });

  test("makes nothing fresh where the topic believes producers' times, and the reader says so", async () => {
    publish(first!);
    mark();
    const good = await token(first!);
    passes(11_000);
    writes(the2100s, { timestamp: the2100s, producersTime: true });
    writes(time.ms, { producersTime: true });
    expect([verifier.fresh, await judged(good)]).toEqual([false, "UNAVAILABLE"]);
    expect(warnings.filter((text) => text.includes("CreateTime"))).toHaveLength(1);
    comes("auth.revocation", `s:${session}`, { at: 1 }, undefined, { timestamp: 1, producersTime: true });
    expect(await judged(good)).toBe("SESSION_REVOKED"); // a revocation counts all the same
    mark(); // the topic was put right
    expect(verifier.fresh).toBe(true);
  });

  test("makes nothing fresh where auth.key believes producers' times", async () => {
    mark();
    comes("auth.key", first!.kid, keyOf(first!), undefined, { producersTime: true });
    expect(verifier.fresh).toBe(false);
    publish(first!);
    expect(verifier.fresh).toBe(true);
  });
});

describe("a token from before AUTH_ACCESS_TTL was lowered", () => {
  const day = 24 * 60 * minute;
  /** Marks come for so long, each with the longest life that tokens ever had, where the fleet tells it. */
  const awaitProgress = (minutes: number, tokenLifeMs?: number): void => {
    for (let n = 0; n < minutes; n += 1) {
      passes(minute);
      comes("auth.revocation", "asOf", { asOf: time.ms, ...(tokenLifeMs !== undefined && { tokenLifeMs }) });
    }
  };

  test("is refused for as long as it lives, though this verifier was started with the life of today", async () => {
    makeOne({ tokenLifeMs: 15 * minute });
    publish(first!);
    mark();
    const old = await token(first!, day);
    comes("auth.revocation", `s:${session}`, { at: time.ms });
    awaitProgress(17, day);
    expect([verifier.fresh, await judged(old)]).toEqual([true, "SESSION_REVOKED"]);
    awaitProgress(23 * 60, day);
    expect(await judged(old)).toBe("SESSION_REVOKED");
  });

  test("the control: where the fleet did not tell, it is good again after 17 minutes", async () => {
    makeOne({ tokenLifeMs: 15 * minute });
    publish(first!);
    mark();
    const old = await token(first!, day);
    comes("auth.revocation", `s:${session}`, { at: time.ms });
    awaitProgress(17);
    expect([verifier.fresh, await judged(old)]).toEqual([true, "ok"]);
  });
});

describe("a revocation whose own time is ten minutes early, as a worker's clock wrote it", () => {
  test("counts until the last token from before it has expired: by the broker's time of its record", async () => {
    makeOne({ tokenLifeMs: 15 * minute });
    publish(first!);
    mark();
    const good = await token(first!);
    comes("auth.revocation", `s:${session}`, { at: time.ms - 10 * minute });
    for (let n = 1; n <= 16; n += 1) {
      passes(minute);
      mark();
      expect([n, await judged(good)]).toEqual([n, n < 16 ? "SESSION_REVOKED" : "TOKEN_EXPIRED"]); // and 5 s of leeway
    }
  });

  test("the control: by its own time alone it would be forgotten, and the token good again, from minute 8 on", async () => {
    makeOne({ tokenLifeMs: 15 * minute });
    publish(first!);
    mark();
    const good = await token(first!);
    const at = time.ms - 10 * minute;
    comes("auth.revocation", `s:${session}`, { at }, undefined, { timestamp: at });
    for (let n = 1; n <= 8; n += 1) {
      passes(minute);
      mark();
    }
    expect(await judged(good)).toBe("ok");
  });
});
