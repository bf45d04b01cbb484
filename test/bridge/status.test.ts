// What a refused call looks like to the gateway: for every code of the table its status, words and trailing metadata;
// and for what is no refusal.
import { type RefusalCode, refusals, refuse } from "../../src/protocol/errors.ts";
import { identity, type StartedBridge, startBridge } from "./pretend-fleet.ts";

const login = { login: "ada.l", password: "correct horse battery" };

// Written out here, not taken from errors.ts: this is what the gateway relies on (docs/protocol.md, Refusals).
const promised: Record<RefusalCode, string> = {
  INVALID_INPUT: "INVALID_ARGUMENT",
  LOGIN_TAKEN: "INVALID_ARGUMENT",
  EMAIL_TAKEN: "INVALID_ARGUMENT",
  WEAK_PASSWORD: "INVALID_ARGUMENT",
  INVALID_CREDENTIALS: "INVALID_ARGUMENT",
  NOT_CONFIRMED: "INVALID_ARGUMENT",
  BANNED: "INVALID_ARGUMENT",
  MFA_REQUIRED: "INVALID_ARGUMENT",
  MFA_INVALID: "INVALID_ARGUMENT",
  TOKEN_INVALID: "INVALID_ARGUMENT",
  TOKEN_EXPIRED: "INVALID_ARGUMENT",
  SESSION_REVOKED: "INVALID_ARGUMENT",
  REFRESH_REUSED: "INVALID_ARGUMENT",
  SEAL_REQUIRED: "INVALID_ARGUMENT",
  SEAL_INVALID: "INVALID_ARGUMENT",
  IDEMPOTENCY_CONFLICT: "INVALID_ARGUMENT",
  NOT_FOUND: "NOT_FOUND",
  FORBIDDEN: "PERMISSION_DENIED",
  THROTTLED: "RESOURCE_EXHAUSTED",
  OVERLOADED: "RESOURCE_EXHAUSTED",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  NO_WORKERS: "UNAVAILABLE",
  UNAVAILABLE: "UNAVAILABLE",
  UNSUPPORTED_SCHEMA: "INTERNAL",
  INTERNAL: "INTERNAL",
};

describe("a refused call", () => {
  let started: StartedBridge;
  beforeAll(async () => {
    started = await startBridge();
  });
  afterAll(() => started.stop());

  test.each(Object.keys(refusals) as RefusalCode[])("%s has its status and is named in auth-error", async (code) => {
    started.fleet.reply = () => Promise.reject(refuse(code));
    const answer = await started.gateway.call("Authenticate", login);
    expect(answer).toMatchObject({ status: promised[code], code, details: refusals[code][1], retryAfterMs: undefined });
  });

  test("says when asking again makes sense, and what was wrong in words that are not ASCII", async () => {
    started.fleet.reply = () => Promise.reject(refuse("THROTTLED", { retryAfterMs: 1500, message: "später, 100 %" }));
    const answer = await started.gateway.call("Authenticate", login);
    expect(answer).toMatchObject({ status: "RESOURCE_EXHAUSTED", retryAfterMs: "1500", details: "später, 100 %" });
  });

  test.each([
    ["half a surrogate pair", "a\ud800b", "a\ufffdb"],
    ["half a pair where they are cut", `${"x".repeat(499)}\u{1f600}`, `${"x".repeat(499)}\ufffd`],
    ["more words than trailers have room for", "\u20ac".repeat(100_000), "\u20ac".repeat(500)],
    ["a line end and NUL", "a\r\nb\u0000", "a\r\nb\u0000"],
  ])("has words even where they have %s", async (_, message, details) => {
    started.fleet.reply = () => Promise.reject(refuse("INVALID_INPUT", { message }));
    const answer = await started.gateway.call("Authenticate", login);
    expect(answer).toMatchObject({ status: "INVALID_ARGUMENT", code: "INVALID_INPUT", details });
  });

  test("is MFA_REQUIRED where the fleet asks for a second factor", async () => {
    started.fleet.reply = async () => ({ tokens: null, challenge: { methods: ["totp"], challenge: "c" } });
    const answer = await started.gateway.call("Authenticate", login);
    expect(answer).toMatchObject({ status: "INVALID_ARGUMENT", code: "MFA_REQUIRED" });
  });

  test("is FAILED_PRECONDITION where the user's id is above an int32, and only there", async () => {
    started.fleet.reply = async () => ({ ...identity, userId: 2 ** 31 });
    const above = await started.gateway.call("CurrentUser", { access_token: "t" });
    expect(above).toMatchObject({ status: "FAILED_PRECONDITION", code: undefined });
    started.fleet.reply = async () => ({ ...identity, userId: 2 ** 31 - 1 });
    const largest = await started.gateway.call("CurrentUser", { access_token: "t" });
    expect(largest).toMatchObject({ status: "OK", reply: { id: 2 ** 31 - 1 } });
  });

  test("is a generic INTERNAL for a fault of ours, logged without what the request held", async () => {
    started.fleet.reply = () => Promise.reject(new Error(`invalid "string": ${login.password}`));
    const answer = await started.gateway.call("Authenticate", login);
    expect(answer).toMatchObject({ status: "INTERNAL", code: "INTERNAL", details: "The service has failed." });
    const logged = started.logged.join("");
    expect(logged).toContain('invalid \\"string\\": [secret]');
    expect(logged).toContain('"method":"Authenticate"');
    expect(logged).not.toContain(login.password);
  });

  test("is logged only where it is a fault", async () => {
    const before = started.logged.length;
    started.fleet.reply = () => Promise.reject(refuse("INVALID_CREDENTIALS"));
    await started.gateway.call("Authenticate", login);
    expect(started.logged).toHaveLength(before);
  });
});
