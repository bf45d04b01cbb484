// Requests made by hand, as Spring, NestJS or any other service makes them: headers in every form, bad input of every
// kind, and what becomes of the partition after it.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import avsc from "avsc";
import { connectRegistry } from "../src/bus/avro/schema-store.ts";
import { commandSchemas } from "../src/protocol/generated/schemas.ts";
import { sharedFleet } from "./support/fleet-addresses.ts";
import { type Raw, rawRequests, replyTopic } from "./support/raw.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { byPassword, newUser, type Registered, registered } from "./support/users.ts";

let fleet: TestFleet;
let raw: Raw;
let user: Registered;
beforeAll(async () => {
  fleet = await testFleet();
  raw = await rawRequests(fleet);
  user = await registered(fleet);
}, 60_000);
afterAll(() => fleet.close());

/** Where dead letters of this test can be told from others'. */
let mark: string;
beforeEach(() => {
  mark = randomBytes(12).toString("hex");
});

const keyList = { topic: "auth.key.list" } as const;
/** A login in the bare form: all fields inside, the routing ones in clear too. */
function login(fields: Record<string, unknown> = {}) {
  const all = { login: user.login, rotating: true, client: null, password: user.password, ...fields };
  const { password, ...clear } = all;
  return { topic: "auth.session.login", key: user.login, fields: { ...clear, sealed: JSON.stringify(all) } } as const;
}
const letter = () => fleet.mails.last("auth.dead-letter", (record) => String(record.headers["test-mark"]) === mark);

describe("the reply", () => {
  test.each([
    ["16 raw bytes, as Spring sends them", randomBytes(16)],
    ["text, as NestJS sends it", Buffer.from("c0ffee0123456789abcde")],
    ["bytes that are no UTF-8", Buffer.from([0xff, 0xfe, 0x00, 0x80])],
  ])("carries the correlation id untouched: %s", async (_what, correlationId) => {
    await raw.send({ ...keyList, headers: { kafka_correlationId: correlationId } });
    const reply = await raw.replies.last(replyTopic, (record) => {
      const id = record.headers["kafka_correlationId"];
      return Buffer.isBuffer(id) && id.equals(correlationId);
    });
    expect(String(reply.headers["auth-outcome"])).toBe("ok");
    expect(reply.headers["kafka_nest-is-disposed"]).toEqual(Buffer.alloc(0));
  });

  test.each([
    ["a 4-byte integer", Buffer.from([0, 0, 0, 1])],
    ["decimal text", Buffer.from("1")],
  ])("goes to the partition that %s names", async (_what, partition) => {
    const reply = await raw.ask({ ...keyList, headers: { kafka_replyPartition: partition } });
    expect(reply.record.partition).toBe(1);
  });

  test("goes where its key belongs when no partition is named, and has the request's key", async () => {
    const replies = await Promise.all([1, 2, 3].map(() => raw.ask({ ...keyList, key: "somebody" })));
    expect(new Set(replies.map((reply) => reply.record.partition)).size).toBe(1);
    expect(replies.map((reply) => String(reply.record.key))).toEqual(["somebody", "somebody", "somebody"]);
  });

  test("carries the trace on", async () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const reply = await raw.ask({ ...keyList, headers: { traceparent, tracestate: "x=y" } });
    expect([String(reply.record.headers["traceparent"]), String(reply.record.headers["tracestate"])]).toEqual([
      traceparent,
      "x=y",
    ]);
  });

  test("says its outcome in a header and in the record, ok or not", async () => {
    const refusal = await raw.ask(login());
    expect([refusal.outcome, refusal.body["auth.Refusal"]]).toEqual([
      "NOT_CONFIRMED",
      expect.objectContaining({ code: "NOT_CONFIRMED" }),
    ]);
    const ok = await raw.ask(keyList);
    expect([ok.outcome, Object.keys(ok.body)]).toEqual(["ok", ["auth.key.ListResult"]]);
  });
});

describe("a request without a key", () => {
  test("is served", async () => {
    expect((await raw.ask({ ...login(), key: null })).outcome).toBe("NOT_CONFIRMED");
  });

  test("with another key than its own is refused", async () => {
    const reply = await raw.ask({ ...login(), key: "somebody-else" });
    expect([reply.outcome, reply.body["auth.Refusal"]?.["details"]]).toEqual(["INVALID_INPUT", { field: "key" }]);
  });
});

describe("bytes that are no UTF-8, and texts that cannot be stored", () => {
  const letters = () =>
    fleet.mails.all("auth.dead-letter").filter((record) => String(record.headers["test-mark"]) === mark);

  test.each<[string, { key?: Buffer | string; fields?: Record<string, unknown> }, string]>([
    ["a record key that is no UTF-8", { key: Buffer.from([0x61, 0xff]) }, "key"],
    ["a record key of 1,025 bytes", { key: "x".repeat(1025) }, "key"],
    ["a record key of 700,000 bytes", { key: "x".repeat(700_000) }, "key"],
    ["NUL in a login", { fields: { login: "a\u0000da" } }, "login"],
    ["a control character in a login", { fields: { login: "a\u0085da" } }, "login"],
    ["half of a surrogate pair in a password", { fields: { password: "a\ud800da" } }, "password"],
    ["a login of 63,000 bytes", { fields: { login: "\ufdfa".repeat(21_000) } }, "login"],
    ["a seal of 100,000 bytes", { fields: { password: "x".repeat(100_000) } }, "sealed"],
  ])("%s: INVALID_INPUT for its field, and no dead letter", async (_what, { key = null, fields }, field) => {
    const headers = { "test-mark": mark };
    const reply = await raw.ask({ ...login(fields), key, partition: 0, headers });
    const { code, details } = reply.body["auth.Refusal"] as { code: string; details: Record<string, string> };
    expect([reply.outcome, code, details["field"]]).toEqual(["INVALID_INPUT", "INVALID_INPUT", field]);
    // The control: what nobody can be told about leaves one, and by then the first one would have come.
    await raw.send({ ...login(), partition: 0, headers: { ...headers, kafka_replyTopic: undefined } });
    await letter();
    expect(letters()).toHaveLength(1);
  });

  test("in the Avro record are refused for their field", async () => {
    const bytes = await raw.encode("auth.session.login", login({ login: "xx~~xx" }).fields);
    bytes[bytes.indexOf("~~")] = 0xff;
    const reply = await raw.ask({ ...login(), key: null, bytes });
    expect([reply.outcome, reply.body["auth.Refusal"]?.["details"]]).toEqual(["INVALID_INPUT", { field: "login" }]);
  });
});

describe("a header that cannot be served", () => {
  test.each([
    ["a partition that is no number", { kafka_replyPartition: "x1" }],
    ["a timeout that is no number", { "auth-timeout": "soon" }],
    ["a deadline that is no number", { "auth-deadline": "-5" }],
    ["an idempotency key of few bits", { "auth-idempotency-key": "1" }],
    ["an idempotency key that is too long", { "auth-idempotency-key": "x".repeat(257) }],
    ["a timeout given twice", { "auth-timeout": [Buffer.from("1000"), Buffer.from("2000")] }],
  ])("is refused: %s", async (_what, headers) => {
    expect((await raw.ask({ ...keyList, headers })).outcome).toBe("INVALID_INPUT");
  });

  test("an auth-reply-key that is no key is refused", async () => {
    expect((await raw.ask({ ...login(), headers: { "auth-reply-key": "{}" } })).outcome).toBe("SEAL_INVALID");
  });
});

describe("a request that nobody can be told about", () => {
  test.each([
    ["without a reply topic", { kafka_replyTopic: undefined }],
    ["with a reply topic that is not allowed", { kafka_replyTopic: "auth.event" }],
    ["with two reply topics", { kafka_replyTopic: [Buffer.from(replyTopic), Buffer.from("auth.reply.bridge")] }],
  ])("%s is a dead letter, and the partition moves on", async (_what, headers) => {
    await raw.send({ ...keyList, partition: 0, headers: { ...headers, "test-mark": mark } });
    const buried = await letter();
    expect(String(buried.headers["auth-dlq-topic"])).toBe("auth.key.list");
    expect(String(buried.headers["auth-dlq-error"])).toContain("kafka_replyTopic");
    expect((await raw.ask({ ...keyList, partition: 0 })).outcome).toBe("ok");
  });

  test.each([
    ["topic that does not exist", { kafka_replyTopic: "auth.reply.nobody" }],
    ["partition that does not exist", { kafka_replyPartition: "99" }],
  ])("with a reply %s does no work, and the partition moves on", async (_what, headers) => {
    const made = newUser();
    const { password, ...clear } = made;
    const registering = {
      topic: "auth.account.register",
      key: made.login,
      fields: { ...clear, sealed: JSON.stringify(made) },
    } as const;
    await raw.send({ ...registering, headers });
    expect((await raw.ask({ ...registering, fields: { ...registering.fields } })).outcome).toBe("ok"); // the login was still free
  });
});

describe("a value that cannot be read", () => {
  test.each([
    ["no bytes at all", () => null, "INVALID_INPUT"],
    ["nothing", () => Buffer.alloc(0), "INVALID_INPUT"],
    ["text", () => Buffer.from("garbage"), "INVALID_INPUT"],
    ["an unknown schema id", () => Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 0]), "UNSUPPORTED_SCHEMA"],
    [
      "a record that ends too early",
      async () => (await raw.encode("auth.session.login", login().fields)).subarray(0, 9),
      "INVALID_INPUT",
    ],
    [
      "bytes behind the record",
      async () => Buffer.concat([await raw.encode("auth.session.login", login().fields), Buffer.of(1)]),
      "INVALID_INPUT",
    ],
    ["another command's record", () => raw.encode("auth.account.resend", { sealed: "{}" }), "UNSUPPORTED_SCHEMA"],
  ])("%s is refused, no dead letter is left of it, and the partition moves on", async (_what, bytes, code) => {
    const request = { ...login(), partition: 0, bytes: await bytes() };
    expect((await raw.ask({ ...request, headers: { "test-mark": mark } })).outcome).toBe(code);
    expect((await raw.ask({ ...login(), partition: 0 })).outcome).toBe("NOT_CONFIRMED");
    // The control stands behind it: one that nobody can be told of.
    await raw.send({ ...request, headers: { "test-mark": mark, kafka_replyTopic: undefined } });
    await letter();
    const marked = fleet.mails.all("auth.dead-letter").filter(({ headers }) => String(headers["test-mark"]) === mark);
    expect(marked.map(({ headers }) => String(headers["auth-dlq-error"]))).toEqual(["header kafka_replyTopic: absent"]);
  });

  test("more headers than anybody needs are refused", async () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`x-${at}`, "y"]));
    const reply = await raw.ask({ ...keyList, headers: many });
    expect([reply.outcome, reply.body["auth.Refusal"]?.["message"]]).toEqual(["INVALID_INPUT", "too many headers"]);
  });

  test("a bare seal that is no JSON object, or differs from the clear fields, is refused", async () => {
    const fields = login().fields;
    expect((await raw.ask({ ...login(), fields: { ...fields, sealed: "garbage" } })).outcome).toBe("SEAL_INVALID");
    const other = JSON.stringify({ ...JSON.parse(fields.sealed), login: "somebody-else" });
    expect((await raw.ask({ ...login(), fields: { ...fields, sealed: other } })).outcome).toBe("SEAL_INVALID");
  });
});

describe("a schema that the worker does not know", () => {
  const registry = connectRegistry({ url: sharedFleet().env["AUTH_REGISTRY_URL"]! });
  const { request } = commandSchemas["auth.key.list"];
  const withHeader = (id: number, value: Buffer): Buffer => {
    const header = Buffer.alloc(5);
    header.writeInt32BE(id, 1);
    return Buffer.concat([header, value]);
  };

  test("is read where a newer requester has registered it in the topic's subject", async () => {
    const newer = { ...request, fields: [{ name: "since", type: ["null", "string"], default: null }] };
    const id = await registry.register("auth.key.list-value", newer, "BACKWARD");
    expect((await raw.ask({ ...keyList, bytes: withHeader(id, Buffer.of(2, 2, 0x61)) })).outcome).toBe("ok");
  });

  test("is refused where it is somebody's own, though it bears the request's name; no turn of the loop is lost to it", async () => {
    const own = { ...request, fields: [{ name: "nothing", type: { type: "array", items: "null" } }] };
    const id = await registry.register(`stranger.${mark}-value`, own, "BACKWARD");
    const billion = avsc.Type.forSchema("long").toBuffer(1_000_000_000);
    const bytes = withHeader(id, Buffer.concat([billion, Buffer.of(0)]));
    const reply = await raw.ask({ ...keyList, bytes });
    expect([reply.outcome, reply.body["auth.Refusal"]?.["message"]]).toEqual([
      "UNSUPPORTED_SCHEMA",
      `there is no schema ${id} of auth.key.list-value`,
    ]);
  });

  test("is read no further than its bytes go, though it be a version of the subject", async () => {
    const newer = { ...request, fields: [{ name: "many", type: { type: "array", items: "null" }, default: [] }] };
    const id = await registry.register("auth.key.list-value", newer, "BACKWARD");
    const count = (items: number) =>
      withHeader(id, Buffer.concat([avsc.Type.forSchema("long").toBuffer(items), Buffer.of(0)]));
    expect((await raw.ask({ ...keyList, bytes: count(1_000_000_000) })).outcome).toBe("INVALID_INPUT");
    expect((await raw.ask({ ...keyList, bytes: count(1) })).outcome).toBe("ok"); // the control
  });
});

describe("time", () => {
  test("a request whose time is over is not begun, and says so", async () => {
    const made = newUser();
    const { password, ...clear } = made;
    const request = {
      topic: "auth.account.register",
      key: made.login,
      fields: { ...clear, sealed: JSON.stringify(made) },
    } as const;
    expect((await raw.ask({ ...request, headers: { "auth-timeout": "0" } })).outcome).toBe("DEADLINE_EXCEEDED");
    expect((await raw.ask({ ...request, headers: { "auth-deadline": "1" } })).outcome).toBe("DEADLINE_EXCEEDED");
    expect((await raw.ask({ ...request, headers: { "auth-deadline": "1", "auth-timeout": "5000" } })).outcome).toBe(
      "ok",
    );
  });
});

describe("one outcome", () => {
  test("the same record sent again by its correlation id gets the same answer, and opens no second session", async () => {
    await fleet.client.request("auth.account.confirm", {
      token: await fleet.confirmationToken(user.username),
      ...byPassword(user),
    });
    const kafka_correlationId = randomBytes(16);
    const before = await sessions();
    await raw.send({ ...login(), headers: { kafka_correlationId } });
    await raw.send({ ...login(), headers: { kafka_correlationId } });
    const isMine = (record: { headers: Record<string, unknown> }) =>
      String(record.headers["kafka_correlationId"]) === String(kafka_correlationId);
    const [first, second] = await raw.replies.count(replyTopic, 2, isMine);
    expect(raw.read("auth.session.login", first!).secrets).toEqual(raw.read("auth.session.login", second!).secrets);
    expect(await sessions()).toBe(before + 1);
    // The control: another correlation id is another request.
    await raw.ask(login());
    expect(await sessions()).toBe(before + 2);
  });

  async function sessions(): Promise<number> {
    const { rows } = await fleet.sql.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM sessions WHERE user_id = $1",
      [user.id],
    );
    return rows[0]!.n;
  }
});
