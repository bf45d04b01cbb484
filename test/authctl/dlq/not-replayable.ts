// Dead letters that cannot be replayed, each with the sentence that says why.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { deadLetter } from "../../../src/bus/dead-letter.ts";
import { sealRequest } from "../../../src/bus/seal/seal.ts";
import type { InRecord, OutRecord } from "../../../src/kafka/records.ts";
import { busNames } from "../../../src/protocol/bus-names.ts";
import { replyTopic } from "../../support/raw.ts";
import { buried, fleet, mark, raw } from "./dead-letters.ts";

interface Made {
  topic: string;
  timestamp: number;
  value: Buffer;
  headers: InRecord["headers"];
  /** Beside the dead letter's own. */
  dlq: OutRecord["headers"];
}

/** A dead letter as a worker would have left it. */
export async function letterOf({
  topic = "auth.key.list",
  timestamp = Date.now(),
  value,
  headers,
  dlq,
}: Partial<Made>): Promise<string> {
  const all = { "test-mark": Buffer.from(mark), kafka_replyTopic: Buffer.from(replyTopic), ...headers };
  const given = { kafka_correlationId: randomBytes(16), ...all };
  const record = { topic, partition: 0, offset: 1n, timestamp, key: null, value: value ?? null, headers: given };
  const made = deadLetter(record, { error: "for this test", now: Date.now(), deadLetters: busNames.deadLetters });
  await fleet.kafka.produce([{ ...made, headers: { ...made.headers, ...dlq } }]);
  return buried();
}

export async function sealed(lifeMs: number): Promise<Buffer> {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...publicKey.export({ format: "jwk" }), kid: "k" };
  const made = { fields: { password: "x" }, topic: "auth.session.login", key, expiresAt: Date.now() + lifeMs };
  const bound = { replyTopic: "auth.reply.gateway", replyKeyThumbprint: undefined, idempotencyKey: undefined };
  const seal = await sealRequest({ ...made, ...bound });
  return raw.encode("auth.session.login", { login: "ada", rotating: true, client: null, sealed: seal });
}

export const login = "auth.session.login";
export const notReplayable: [string, () => Promise<Partial<Made>> | Partial<Made>, RegExp][] = [
  ["a seal that has expired", async () => ({ topic: login, value: await sealed(-1000) }), /^Its seal has expired \(/],
  [
    "a seal that is about to",
    async () => ({ topic: login, value: await sealed(8000) }),
    /^Its seal is about to expire \(/,
  ],
  ["a value that was cut", () => ({ dlq: { "auth-dlq-cut": "5000000" } }), /^Only 0 of its 5000000 bytes were kept/],
  ["a topic that is not replayed to", () => ({ topic: "auth.revocation" }), /^Its topic auth\.revocation is none/],
  [
    "a request nobody can be told about",
    () => ({ headers: { kafka_replyTopic: undefined } }),
    /header kafka_replyTopic is absent/,
  ],
  [
    "a reply topic that is gone",
    () => ({ headers: { kafka_replyTopic: Buffer.from("auth.reply.nobody") } }),
    /^Its reply topic auth\.reply\.nobody is gone/,
  ],
  [
    "a reply partition that is not there",
    () => ({ headers: { kafka_replyPartition: Buffer.from("99") } }),
    /has no partition 99/,
  ],
  [
    "a deadline that is over",
    () => ({ headers: { "auth-deadline": Buffer.from("1") } }),
    /auth-deadline or auth-timeout/,
  ],
  [
    "a request older than its answer is kept",
    () => ({ timestamp: Date.now() - 25 * 3_600_000 }),
    /AUTH_IDEMPOTENCY_TTL/,
  ],
  [
    "a legacy record whose time was not noted",
    () => ({ topic: "delete", dlq: { "auth-dlq-timestamp": "" } }),
    /original time was not noted/,
  ],
  [
    "a request with no key whose time was not noted",
    () => ({ headers: { kafka_correlationId: Buffer.from("few") }, dlq: { "auth-dlq-timestamp": "" } }),
    /original time was not noted/,
  ],
];
