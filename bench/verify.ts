// Verifications of access tokens in one process: our local verifier, with and without remembered signatures, and jose's
// jwtVerify with the same checks, on the same tokens. No Kafka: the feeds are handed over as a driver would hand them
// over.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createLocalJWKSet, importJWK, type JWK, jwtVerify, SignJWT } from "jose";
import { makeKeyReader } from "../src/client/key-reader.ts";
import { makeVerifier, type Verifier } from "../src/client/verifier.ts";
import type { ConsumeOptions, KafkaPort } from "../src/kafka/kafka.ts";
import { systemClock } from "../src/lib/clock.ts";
import { keyThumbprint } from "../src/protocol/fleet-cert.ts";
import { makeLogger } from "../src/runtime/log.ts";
import { answer } from "./child.ts";
import { closedLoop, type Width } from "./measure.ts";

export type VerifySide = "verifier" | "remembering" | "jose";

/** More than are remembered would measure the cache's misses; a service sees some thousand sessions again and again. */
const tokens: string[] = [];
const count = 2000;
let feeds: (topic: string, key: string, value: object) => void;

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const own = publicKey.export({ format: "jwk" });
const kid = keyThumbprint(own)!;
const jwk = { ...(own as JWK), kid, use: "sig", alg: "ES256" };

function verifierOf(cache: number): Verifier {
  const readers: ConsumeOptions[] = [];
  const kafka = {
    consume(options: ConsumeOptions) {
      readers.push(options);
      return {
        joined: Promise.resolve(),
        healthy: true,
        commit: async () => {},
        pause() {},
        resume() {},
        close: async () => {},
      };
    },
  } as unknown as KafkaPort;
  const log = makeLogger("silent", {});
  const inspect = () => Promise.reject(new Error("the feeds are fresh: nobody is asked"));
  const keys = makeKeyReader({ kafka, name: "bench", log, clock: systemClock });
  const verifier = makeVerifier(
    { kafka, name: "bench", log, clock: systemClock, inspect, keys },
    { cache, maxAgeMs: 3_600_000 },
  );
  const readerOf = (topic: string): ConsumeOptions => readers.find(({ topics }) => topics.includes(topic))!;
  readerOf("auth.revocation").onAssigned(new Map([["auth.revocation", [0]]]));
  feeds = (topic, key, value) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const record = {
      topic,
      partition: 0,
      offset: 0n,
      timestamp: Date.now(),
      key: Buffer.from(key),
      value: bytes,
      headers: {},
    };
    readerOf(topic).onRecords([record], { topic, partition: 0 }, 1n);
  };
  feeds("auth.key", kid, { ...jwk, state: "active", version: 1 });
  feeds("auth.revocation", "asOf", { asOf: Date.now() });
  return verifier;
}

async function ready(): Promise<void> {
  const key = await importJWK(privateKey.export({ format: "jwk" }) as JWK, "ES256");
  for (let n = 1; n <= count; n += 1) {
    const claims = { login: `user${n}`, roles: ["editor"], sid: randomUUID(), gen: 0, amr: ["pwd"] };
    const now = Math.floor(Date.now() / 1000);
    const more = { auth_time: now, client_id: "platform", jti: randomUUID() };
    const signer = new SignJWT({ ...claims, ...more }).setProtectedHeader({
      alg: "ES256",
      typ: "at+jwt",
      kid,
    });
    signer.setIssuer("auth").setAudience("platform").setSubject(String(n)).setIssuedAt(now).setExpirationTime("1h");
    tokens.push(await signer.sign(key));
  }
}

async function run({ side, ...width }: Width & { side: VerifySide }) {
  let next = 0;
  const token = (): string => tokens[next++ % count]!;
  if (side === "jose") {
    const keys = createLocalJWKSet({ keys: [jwk] });
    const rules = { algorithms: ["ES256"], typ: "at+jwt", issuer: "auth", audience: "platform", clockTolerance: 5 };
    return closedLoop(width, () => jwtVerify(token(), keys, rules));
  }
  const verifier = verifierOf(side === "remembering" ? count : 0);
  return closedLoop(width, () => verifier.verify(token()));
}

/** Bytes of heap per 100,000 revoked sessions. */
async function memory(): Promise<number> {
  const verifier = verifierOf(0);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 100_000; n += 1) feeds("auth.revocation", `s:${randomUUID()}`, { at: Date.now() });
  collect();
  const used = process.memoryUsage().heapUsed - before;
  if (verifier.revocations !== 100_000) throw new Error(`${verifier.revocations} are remembered`);
  return used;
}

answer({ ready, run, memory });
