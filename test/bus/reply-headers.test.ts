import {
  allowed,
  bytes,
  faultOf,
  id,
  readHeaders,
  readRequest,
  record,
  replyHeaders,
  traceparent,
} from "./header-records.ts";

describe("the correlation id", () => {
  test.each([
    ["16 raw bytes", bytes(0, 255, 128, 195, 40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13)],
    ["text", Buffer.from("b7c1f0e2-4a5d-4c1e-9f00-aabbccddeeff")],
    ["empty", bytes()],
  ])("goes back byte for byte: %s", (_form, raw) => {
    const { reply } = readRequest({ kafka_correlationId: raw });
    expect(reply.correlationId?.equals(raw)).toBe(true);
    expect(replyHeaders(reply, "ok")).toMatchObject({ kafka_correlationId: raw });
  });

  test("may be absent", () => {
    expect(readRequest({}).reply.correlationId).toBeUndefined();
  });
});

describe("the reply partition", () => {
  test.each<[string, Buffer | string, number]>([
    ["Spring's 4-byte integer", bytes(0, 0, 0, 7), 7],
    ["Spring's 0", bytes(0, 0, 0, 0), 0],
    ["a large 4-byte integer", bytes(0, 1, 0, 0), 65_536],
    ["a 4-byte integer with a digit's byte", bytes(0, 0, 0, 0x37), 55],
    ["NestJS's text", "7", 7],
    ["text of four digits", "1234", 1234],
    ["text with zeros in front", "0007", 7],
  ])("%s", (_form, raw, partition) => {
    expect(readRequest({ kafka_replyPartition: raw }).reply.partition).toBe(partition);
  });

  test("absent: by record key", () => {
    expect(readRequest({}).reply.partition).toBeUndefined();
  });

  test.each<[string, Buffer | string]>([
    ["empty", ""],
    ["a negative 4-byte integer", bytes(255, 255, 255, 255)],
    ["negative text", "-1"],
    ["four letters", "abcd"],
    ["three bytes", bytes(0, 0, 7)],
    ["eight bytes", bytes(0, 0, 0, 0, 0, 0, 0, 7)],
    ["a fraction", "1.5"],
    ["ten digits", "1234567890"],
    ["a line end", "7\n"],
    ["white space", " 7"],
  ])("%s is told to the caller, on whichever partition their key gives", (_form, raw) => {
    expect(faultOf({ kafka_replyPartition: raw, kafka_correlationId: id })).toEqual({
      header: "kafka_replyPartition",
      fault: "neither a 4-byte integer nor decimal text",
      address: { topic: "auth.reply.test", partition: undefined, correlationId: Buffer.from(id) },
    });
  });
});

describe("the reply topic", () => {
  test.each([
    "auth.reply",
    "auth.reply.bridge",
    "auth.reply.user-service",
    "auth.session.login.reply",
    "auth.session.login.reply.x",
    "auth.admin.get-user.reply",
  ])("%s is allowed", (topic) => {
    expect(readRequest({ kafka_replyTopic: topic }).reply.topic).toBe(topic);
  });

  test.each([
    "auth.event",
    "auth.key",
    "auth.revocation",
    "auth.mail",
    "auth.dead-letter",
    "auth.session.login",
    "auth",
    "registration",
    "",
    "auth.replyx",
    "auth.xreply",
    "xauth.reply",
    "auth-reply",
    "auth.reply.",
    "auth.reply.x/../",
    "auth.reply.x/../auth.event",
    "auth.reply.X",
    "AUTH.REPLY",
    "auth.reply.x\n",
    "auth.reply\n",
    "auth.event\nauth.reply",
    "auth.reply\nauth.event",
    "auth.reply.x\u0000",
    "auth.reply.x ",
    " auth.reply.x",
    "auth.reply.ä",
    "auth.reply.\u2028",
    "auth_reply",
    "__consumer_offsets",
  ])("%j is not", (topic) => {
    expect(faultOf({ kafka_replyTopic: topic })).toEqual({
      header: "kafka_replyTopic",
      fault: "not an allowed reply topic",
      address: undefined,
    });
  });

  test("bytes that are no UTF-8 are not", () => {
    const raw = Buffer.concat([Buffer.from("auth.reply."), bytes(255)]);
    expect(faultOf({ kafka_replyTopic: raw })?.fault).toBe("not an allowed reply topic");
  });

  test("absent: nobody can be told", () => {
    const read = readHeaders({ ...record({}), headers: {} }, allowed);
    expect(read).toEqual({ header: "kafka_replyTopic", fault: "absent", address: undefined });
  });
});

test("a reply topic that can be none's name is refused, whatever pattern is set", () => {
  for (const name of ["auth reply", "auth/reply", "auth.reply.\u00e9", "x".repeat(250), ""]) {
    const read = readHeaders(record({ kafka_replyTopic: name }), /.*/);
    expect("fault" in read && [read.header, read.address]).toEqual(["kafka_replyTopic", undefined]);
  }
  const odd = record({ kafka_replyTopic: bytes(0x61, 0xff) });
  expect(readHeaders(odd, /.*/)).toHaveProperty("fault");
  expect(readHeaders(record({ kafka_replyTopic: "x".repeat(249) }), /.*/)).not.toHaveProperty("fault");
});

test("a reply key that is no UTF-8 is refused, and its caller is told", () => {
  expect(faultOf({ "auth-reply-key": bytes(0x7b, 0xff, 0x7d) })).toMatchObject({
    header: "auth-reply-key",
    fault: "not UTF-8",
    address: { topic: "auth.reply.test" },
  });
});

test("the reply key is handed on as it is", () => {
  expect(readRequest({ "auth-reply-key": '{"kty":"EC"}' }).replyKey).toBe('{"kty":"EC"}');
  expect(readRequest({}).replyKey).toBeUndefined();
});

describe("the headers of a reply", () => {
  const address = { topic: "auth.reply.test", partition: 1, correlationId: bytes(255, 0, 10) };

  test("correlation id and outcome byte for byte, what lets NestJS finish, and the trace", () => {
    expect(replyHeaders(address, "INVALID_INPUT", { traceparent, tracestate: "a=1" })).toEqual({
      kafka_correlationId: bytes(255, 0, 10),
      "auth-outcome": Buffer.from("INVALID_INPUT"),
      "kafka_nest-is-disposed": bytes(),
      traceparent: Buffer.from(traceparent),
      tracestate: Buffer.from("a=1"),
    });
  });

  test("nothing that was not given", () => {
    const bare = replyHeaders({ ...address, correlationId: undefined }, "ok", {
      traceparent: undefined,
      tracestate: undefined,
    });
    expect(Object.keys(bare)).toEqual(["auth-outcome", "kafka_nest-is-disposed"]);
  });
});
