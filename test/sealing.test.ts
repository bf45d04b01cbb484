// A fleet that requires seals (the default): secrets in the bare form are refused before any work, sealed ones are
// served. Then the attacker who reads and writes the broker: whatever they copy, change or make up is refused with
// SEAL_INVALID, and the partition moves on. And what a worker does with its threads.
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compactDecrypt, GeneralEncrypt, importJWK, type JWK } from "jose";
import { attacks, type Genuine, genuineLogin, reseal, topic } from "./support/attacks.ts";
import { type Fleet, startFleet } from "./support/fleet.ts";
import type { Seen } from "./support/mailbox.ts";
import { type Raw, type RawRequest, rawRequests, replyTopic } from "./support/raw.ts";
import { ephemeralPair } from "./support/seals.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { type Confirmed, confirmed, loggedIn, newUser } from "./support/users.ts";

let own: Fleet;
let fleet: TestFleet;
let raw: Raw;
beforeAll(async () => {
  own = await startFleet("sealing", {
    processes: ["worker", "relay"],
    env: { AUTH_REQUIRE_SEALED: "true", AUTH_HASH_THREADS: "3" },
  });
  fleet = await testFleet(own);
  raw = await rawRequests(fleet);
}, 90_000);
afterAll(async () => {
  await fleet.close();
  await own.stop();
});

const replyKey = JSON.stringify({
  kty: "EC",
  crv: "P-256",
  x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
  y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
});

test("a sealed journey works", async () => {
  const user = await confirmed(fleet);
  expect(await loggedIn(fleet, user)).toMatchObject({ userId: user.id });
});

test("a bare secret is refused, and nothing is done", async () => {
  const user = newUser();
  const { password, ...clear } = user;
  const bare = { ...clear, sealed: JSON.stringify(user) };
  const reply = await raw.ask({ topic: "auth.account.register", key: user.login, fields: bare });
  expect(reply.outcome).toBe("SEAL_REQUIRED");
  const { rowCount } = await fleet.sql.query("SELECT FROM users WHERE login = $1", [user.login]);
  expect(rowCount).toBe(0);
});

test("a request whose reply has secrets must bring a reply key", async () => {
  const { login, password } = newUser();
  const fields = {
    login,
    rotating: true,
    client: null,
    sealed: JSON.stringify({ login, rotating: true, client: null, password }),
  };
  const without = await raw.ask({ topic: "auth.session.login", key: login, fields });
  expect([without.outcome, without.body["auth.Refusal"]?.["message"]]).toEqual([
    "SEAL_REQUIRED",
    expect.stringContaining("auth-reply-key"),
  ]);
  // The control: with one it is the bare password that is refused.
  const reply = await raw.ask({
    topic: "auth.session.login",
    key: login,
    fields,
    headers: { "auth-reply-key": replyKey },
  });
  expect([reply.outcome, reply.body["auth.Refusal"]?.["message"]]).toEqual([
    "SEAL_REQUIRED",
    "Secrets must be sealed.",
  ]);
});

test("a command without secrets needs no seal", async () => {
  expect((await raw.ask({ topic: "auth.key.list" })).outcome).toBe("ok");
});

const onLinux = process.platform === "linux" ? test : test.failing; // elsewhere there is no /proc to look into
onLinux("a worker's thread pool has a thread for each hash and four beside", () => {
  const pid = own.processes.get("worker-1")!.pid!;
  const names = readdirSync(`/proc/${pid}/task`).map((task) =>
    readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim(),
  );
  expect(names.filter((name) => name.startsWith("libuv-worker"))).toHaveLength(7);
});

interface Refused {
  outcome: string;
  message: string | undefined;
  why: string;
}

describe("an attacker who reads and writes the broker", () => {
  let genuine: Genuine;
  let first: Seen;
  const answers = new Map<string, Refused>();

  const replyTo = (id: string): Promise<Seen> =>
    raw.replies.last(replyTopic, ({ headers: of }) => String(of["kafka_correlationId"]) === id);
  const send = async (request: RawRequest): Promise<Seen> => {
    const id = randomBytes(16).toString("hex");
    await raw.send({ ...request, headers: { kafka_correlationId: id, ...request.headers } });
    return replyTo(id);
  };
  const sessionsOf = async ({ id }: Confirmed): Promise<number> => {
    const { rows } = await fleet.sql.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM sessions WHERE user_id = $1",
      [id],
    );
    return rows[0]!.n;
  };

  /** One after the other into one partition, and the answers as they come. */
  beforeAll(async () => {
    genuine = await genuineLogin(fleet);
    first = await send(genuine.record);
    const ids = new Map<string, string>();
    const records = [];
    for (const [name, [, make]] of Object.entries(attacks)) {
      const { sealed, ...change } = await make(genuine);
      const request = { ...genuine.record, ...(sealed && { fields: { ...genuine.clear, sealed } }), ...change };
      const id = String(request.headers?.["kafka_correlationId"] ?? randomBytes(16).toString("hex"));
      ids.set(name, id);
      records.push(await raw.record({ ...request, headers: { ...request.headers, kafka_correlationId: id } }));
    }
    await fleet.kafka.produce(records);
    for (const [name, id] of ids) {
      const reply = await replyTo(id);
      answers.set(name, refusalIn(reply));
    }
  }, 120_000);

  function refusalIn(reply: Seen): Refused {
    const outcome = String(reply.headers["auth-outcome"]);
    if (outcome === "ok") return { outcome, message: undefined, why: "" };
    const { message, details } = raw.read(topic, reply).body["auth.Refusal"] as unknown as {
      message: string;
      details: Record<string, string>;
    };
    const { reason, field, header } = details;
    return { outcome, message, why: [reason, field, header].filter(Boolean).join(" ") };
  }

  test.each(Object.entries(attacks).map(([name, [why]]) => [name, why]))("%s is refused: %s", (name, why) => {
    const [code, header] = why!.split(" ");
    const refusal = code === "INVALID_INPUT" ? { outcome: code, why: header } : { outcome: "SEAL_INVALID", why };
    expect(answers.get(name)).toMatchObject(refusal);
  });

  test("got nothing done, while the genuine request was, and the same seal made anew is", async () => {
    expect(String(first.headers["auth-outcome"])).toBe("ok");
    expect(await sessionsOf(genuine.user)).toBe(2); // of confirming, and of the genuine login
    const again = { jti: randomBytes(16).toString("base64url") };
    const { sealed } = reseal(genuine, { header: again });
    const reply = await send({
      ...genuine.record,
      fields: { ...genuine.clear, sealed },
      headers: { ...genuine.record.headers, "auth-idempotency-key": again.jti },
    });
    expect(String(reply.headers["auth-outcome"])).toBe("ok"); // and the partition has moved on
    expect(await sessionsOf(genuine.user)).toBe(3);
  });

  test("gets nothing by a JWE for two recipients, one of them the attacker: it is no seal", async () => {
    const { kid, ...bound } = genuine.header as { kid: string };
    const both = new GeneralEncrypt(Buffer.from(JSON.stringify(genuine.all)));
    both.setProtectedHeader({ enc: "A256GCM", ...bound });
    for (const key of [await importJWK(genuine.recipient as JWK, "ECDH-ES+A256KW"), ephemeralPair().publicKey])
      both.addRecipient(key).setUnprotectedHeader({ alg: "ECDH-ES+A256KW", kid });
    const sealed = JSON.stringify(await both.encrypt());
    const reply = await send({ ...genuine.record, fields: { ...genuine.clear, sealed } });
    expect(refusalIn(reply).outcome).toBe("SEAL_REQUIRED");
  });

  test("leaves no dead letter", () => {
    const letters = fleet.mails.all("auth.dead-letter");
    expect(letters.filter((letter) => String(letter.headers["auth-dlq-topic"]).startsWith("auth.session."))).toEqual(
      [],
    );
  });

  test("is not told how far the opening of a seal came", () => {
    const opened = [
      "with a bit flipped",
      "that is cut",
      "not on the curve",
      "of order 2",
      "inside",
      "another fleet's key",
    ];
    const told = [...answers].filter(
      ([name, { why }]) => why === "jwe" && opened.some((each) => name.includes(each)) && !name.startsWith("a header"),
    );
    expect(told.length).toBeGreaterThan(10);
    expect(new Set(told.map(([, { message }]) => message))).toEqual(new Set(["sealed: does not open"]));
  });

  test("who replays a whole record gets the first answer again, and cannot read it", async () => {
    const replayed = await send(genuine.record);
    const sealedReply = (reply: Seen): string => {
      const found = /eyJ[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+/.exec(reply.value!.toString("latin1"));
      return found![0];
    };
    const read = async (reply: Seen): Promise<unknown> => {
      const { plaintext } = await compactDecrypt(sealedReply(reply), genuine.replyPair.privateKey);
      return JSON.parse(new TextDecoder().decode(plaintext));
    };
    expect(await read(replayed)).toEqual(await read(first));
    await expect(compactDecrypt(sealedReply(replayed), ephemeralPair().privateKey)).rejects.toThrow();
    expect(createHash("sha256").update(replayed.value!).digest()).not.toEqual(
      createHash("sha256").update(first.value!).digest(),
    ); // sealed anew
  });
});
