import { namesFor } from "../../src/bus/names.ts";
import { busNames } from "../../src/protocol/bus-names.ts";
import {
  allowed,
  at,
  bytes,
  faultOf,
  type Headers,
  id,
  names,
  readHeaders,
  readRequest,
  record,
  recordKey,
  traceparent,
} from "./header-records.ts";

test("the names are those of the prefix auth", () => {
  expect(busNames).toEqual(namesFor("auth", "authfleet migrate"));
});

describe("the time", () => {
  test.each<[string, Headers, number]>([
    ["neither given: 30 s", {}, at + 30_000],
    ["a timeout counts from the broker's time", { "auth-timeout": "1500" }, at + 1500],
    ["a timeout of 0 is over at once", { "auth-timeout": "0" }, at],
    ["a deadline is taken as it is", { "auth-deadline": String(at + 2000) }, at + 2000],
    ["a deadline may have passed", { "auth-deadline": String(at - 5) }, at - 5],
    ["the timeout wins", { "auth-timeout": "1500", "auth-deadline": String(at + 9) }, at + 1500],
    ["a timeout over 5 min is cut", { "auth-timeout": "300001" }, at + 300_000],
    ["a huge timeout is cut", { "auth-timeout": "999999999999999" }, at + 300_000],
    ["a deadline over 5 min away is cut", { "auth-deadline": String(at + 300_001) }, at + 300_000],
  ])("%s", (_what, headers, deadline) => {
    expect(readRequest(headers).deadline).toBe(deadline);
  });

  test.each(["", "-1", "1.5", "1e3", "soon", "1 ", "1\n", "0x10", "1234567890123456"])("%j is no time", (text) => {
    for (const header of ["auth-timeout", "auth-deadline"])
      expect(faultOf({ [header]: text })).toMatchObject({ header, fault: "not decimal milliseconds" });
    expect(faultOf({ "auth-timeout": "5", "auth-deadline": text })?.address?.topic).toBe("auth.reply.test");
  });
});

describe("a header given twice", () => {
  const twice: [string, string[]][] = [
    ["kafka_correlationId", ["1", "2"]],
    ["kafka_replyPartition", ["1", "01"]],
    ["kafka_replyPartition", ["1", "1", "2"]],
    ["auth-timeout", ["1", "1"]],
    ["auth-deadline", ["1", "1"]],
    ["auth-idempotency-key", [id, id]],
    ["auth-reply-key", ["1", "1"]],
    ["auth-device", ["1", "1"]],
  ];
  test.each(twice)("%s %j is told to the caller", (header, values) => {
    expect(faultOf({ [header]: values })).toMatchObject({
      header,
      fault: "given twice",
      address: { topic: "auth.reply.test" },
    });
  });

  test("an address of a reply that says the same each time is one", () => {
    const raw = bytes(0, 255, 128, 195, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13);
    const read = readRequest({
      kafka_replyTopic: ["auth.reply.test", "auth.reply.test"],
      kafka_replyPartition: [bytes(0, 0, 0, 7), bytes(0, 0, 0, 7)],
      kafka_correlationId: [raw, raw, raw],
    });
    expect(read.reply).toEqual({ topic: "auth.reply.test", partition: 7, correlationId: raw });
    expect(read.callerKey).toBeDefined();
  });

  test("the reply topic leaves nobody to tell", () => {
    const fault = { header: "kafka_replyTopic", fault: "given twice", address: undefined };
    expect(faultOf({ kafka_replyTopic: ["auth.reply.a", "auth.reply.b"] })).toEqual(fault);
  });

  test("another header without a reply topic: the reply topic is what is missing", () => {
    const read = readHeaders({ ...record({}), headers: { "auth-timeout": [bytes(1), bytes(2)] } }, allowed);
    expect(read).toEqual({ header: "kafka_replyTopic", fault: "absent", address: undefined });
  });

  test("one that means nothing to us harms nobody", () => {
    expect(faultOf({ "x-other": ["1", "2"] })).toBeUndefined();
  });
});

describe("the idempotency key", () => {
  const raw = bytes(0, 255, 128, 195, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13);
  const caller = (key: Buffer | string) => Buffer.concat([bytes(0), Buffer.from(key)]);

  test.each<[string, Headers, Buffer, string | undefined]>([
    ["given", { "auth-idempotency-key": id }, caller(id), id],
    [
      "given, 256 bytes",
      { "auth-idempotency-key": id.padEnd(256, "x") },
      caller(id.padEnd(256, "x")),
      id.padEnd(256, "x"),
    ],
    ["given, wins over the correlation id", { "auth-idempotency-key": id, kafka_correlationId: raw }, caller(id), id],
    [
      "absent, correlation id of 16 raw bytes",
      { kafka_correlationId: raw },
      caller(raw),
      `b64:${raw.toString("base64url")}`,
    ],
    ["absent, correlation id of 22 characters", { kafka_correlationId: id }, caller(id), id],
  ])("%s", (_what, headers, idempotencyKey, callerKey) => {
    expect(readRequest(headers)).toMatchObject({ idempotencyKey, callerKey });
  });

  test.each<[string, Headers]>([
    ["no correlation id either", {}],
    ["a correlation id of 21 characters", { kafka_correlationId: id.slice(1) }],
    ["16 characters: text has fewer bits than raw bytes", { kafka_correlationId: id.slice(6) }],
    ["a correlation id of 15 raw bytes", { kafka_correlationId: raw.subarray(1) }],
    ["a correlation id over 256 bytes", { kafka_correlationId: "x".repeat(257) }],
    ["an empty correlation id", { kafka_correlationId: "" }],
  ])("%s: the record is its own identity", (_what, headers) => {
    const read = readRequest(headers);
    expect(read.callerKey).toBeUndefined();
    expect(read.idempotencyKey).toEqual(Buffer.from(`\u00013:41:${at}`));
    expect(read.idempotencyKey).toEqual(recordKey(record({})));
  });

  test("a record's identity is the same at each delivery, and no other record's", () => {
    const others = [{ partition: 4 }, { offset: 42n }, { timestamp: at + 1 }].map((more) => readRequest({}, more));
    expect(readRequest({}).idempotencyKey).toEqual(readRequest({}).idempotencyKey);
    for (const other of others) expect(other.idempotencyKey).not.toEqual(readRequest({}).idempotencyKey);
  });

  test("nobody can send the identity of a record as their key", () => {
    const forged = recordKey(record({})).toString("latin1").padEnd(22, "0");
    expect(readRequest({ kafka_correlationId: forged }).idempotencyKey[0]).toBe(0);
    expect(faultOf({ "auth-idempotency-key": forged })?.fault).toBe("not printable ASCII");
    expect(recordKey(record({}))[0]).toBe(1);
  });

  test("has a name of its own in a seal, however near another it is: in bytes, in how it is decoded, in how it is written", () => {
    const other = Buffer.from(raw);
    other[1]! ^= 1;
    const lossy = Buffer.from(raw.toString("utf8")); // as bytes that are no UTF-8 are often read
    const spelled = `b64:${raw.toString("base64url")}`;
    const keys = [raw, other, lossy, Buffer.from(spelled), Buffer.from(id)];
    const jtis = keys.map((kafka_correlationId) => readRequest({ kafka_correlationId }).callerKey);
    expect(jtis).toEqual([spelled, expect.any(String), expect.any(String), expect.any(String), id]);
    expect(new Set(jtis).size).toBe(keys.length);
    // The control: decoded as text, two of them are one.
    expect(new Set(keys.map((key) => key.toString("utf8"))).size).toBeLessThan(keys.length);
  });

  test("in a header is printable ASCII", () => {
    for (const key of [raw, Buffer.from(`${id}\u00e4`), Buffer.from(`${id}\n`)])
      expect(faultOf({ "auth-idempotency-key": Buffer.concat([key, Buffer.from(id)]) })).toMatchObject({
        header: "auth-idempotency-key",
        fault: "not printable ASCII",
      });
  });

  test.each([
    ["21 characters", id.slice(1), "fewer than 128 random bits (22 characters)"],
    ["empty", "", "fewer than 128 random bits (22 characters)"],
    ["257 bytes", "x".repeat(257), "over 256 bytes"],
    ["a control character", `${id}\u0000`, "not printable ASCII"],
    ["a letter that is not ASCII", `${id}\u00e4`, "not printable ASCII"],
    ["bytes that are no text", bytes(...Array(22).fill(255)), "not printable ASCII"],
  ])("%s is told to the caller", (_what, key, fault) => {
    const told = faultOf({ "auth-idempotency-key": key });
    expect(told).toMatchObject({ header: "auth-idempotency-key", fault, address: { topic: "auth.reply.test" } });
  });
});

describe("the token of a device", () => {
  test.each([undefined, "", "d1.abc", "x".repeat(256)])("%s is handed on", (device) => {
    expect(readRequest(device === undefined ? {} : { "auth-device": device }).device).toBe(device);
  });

  test.each([
    ["257 bytes", "x".repeat(257)],
    ["a line end", "d1.abc\n"],
    ["bytes that are no text", bytes(255, 254)],
  ])("%s counts as none", (_what, device) => {
    expect(readRequest({ "auth-device": device }).device).toBeUndefined();
  });
});

describe("the trace", () => {
  const state = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
  const later = `cc${traceparent.slice(2)}`;

  test.each<[string, Headers, { traceparent: string; tracestate: string | undefined }]>([
    ["alone", { traceparent }, { traceparent, tracestate: undefined }],
    ["with its state", { traceparent, tracestate: state }, { traceparent, tracestate: state }],
    ["with a state of no members", { traceparent, tracestate: " ,, " }, { traceparent, tracestate: " ,, " }],
    ["with an empty state", { traceparent, tracestate: "" }, { traceparent, tracestate: undefined }],
    [
      "with a state of 32 members",
      { traceparent, tracestate: Array(32).fill("a@b=1").join(", ") },
      { traceparent, tracestate: Array(32).fill("a@b=1").join(", ") },
    ],
    ["of a later version", { traceparent: later }, { traceparent, tracestate: undefined }],
    ["of a later version that has more", { traceparent: `${later}-more` }, { traceparent, tracestate: undefined }],
  ])("%s is carried on", (_what, headers, trace) => {
    expect(readRequest(headers)).toMatchObject(trace);
  });

  const newRoots: [string, Headers][] = [
    ["no traceparent", {}],
    ["an empty traceparent", { traceparent: "" }],
    ["upper case", { traceparent: traceparent.toUpperCase() }],
    ["too short", { traceparent: traceparent.slice(1) }],
    ["too long", { traceparent: `${traceparent}0` }],
    ["more behind version 00", { traceparent: `${traceparent}-more` }],
    ["more without a dash", { traceparent: `${later}more` }],
    ["far too long", { traceparent: `${later}-${"x".repeat(100_000)}` }],
    ["trace id of zeros", { traceparent: "00-00000000000000000000000000000000-00f067aa0ba902b7-01" }],
    ["span id of zeros", { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01" }],
    ["version ff", { traceparent: `ff${traceparent.slice(2)}` }],
    ["a line end", { traceparent: `${traceparent}\n` }],
    ["garbage", { traceparent: "garbage" }],
    ["NUL", { traceparent: "\u0000" }],
    ["bytes that are no text", { traceparent: bytes(255, 254, 0) }],
    ["traceparent twice, the same", { traceparent: [traceparent, traceparent] }],
    ["traceparent twice, different", { traceparent: [traceparent, later] }],
    ["tracestate twice", { traceparent, tracestate: ["a=1", "b=2"] }],
    ["a state that is no list", { traceparent, tracestate: "garbage" }],
    ["a state with a control character", { traceparent, tracestate: "a=1\u0000" }],
    ["a state with an empty value", { traceparent, tracestate: "a=" }],
    ["a state of 33 members", { traceparent, tracestate: Array(33).fill("a=1").join() }],
    [
      "a state of 5,000 characters",
      {
        traceparent,
        tracestate: Array(31)
          .fill(`a=${"x".repeat(200)}`)
          .join(),
      },
    ],
    ["a state that is no text", { traceparent, tracestate: bytes(255, 254, 0) }],
  ];
  test.each(newRoots)("%s is a new root, never an error, and takes its state with it", (_what, headers) => {
    const read = readRequest({ tracestate: "a=1", ...headers });
    expect([read.traceparent, read.tracestate]).toEqual([undefined, undefined]);
  });
});

test.each(Object.values(names))("a megabyte in the header %s is read in no time", (name) => {
  const fillings = ["9", "a", "auth.reply.", "é", " ", "-0", "a=b,", "\u0000", "{}"];
  const records = fillings.map((filling) => record({ [name]: Buffer.alloc(1_000_000, filling) }));
  const took = [1, 2, 3].map(() => {
    const began = performance.now();
    for (const each of records) readHeaders(each, allowed);
    return (performance.now() - began) / records.length;
  });
  expect(Math.min(...took)).toBeLessThan(25);
});
