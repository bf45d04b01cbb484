// What each method asks of the fleet and what it makes of the answer.
import { configOf, identity, type StartedBridge, startBridge, tokens } from "./pretend-fleet.ts";

const cookie = {
  key: "refresh_token",
  value: tokens.refreshToken,
  httponly: true,
  secure: true,
  samesite: "none",
  max_age: 604800,
};
const user = { id: 7, login: "ada.l", is_active: true, is_verified: true, role: "user" };
const account = { login: "ada.l", email: "ada@example.org", password: "correct horse", username: "Ada L" };

interface Row {
  method: string;
  request: object;
  asks: [topic: string, input: object];
  result: object;
  reply: object;
}

const rows: Row[] = [
  {
    method: "CreateUser",
    request: account,
    asks: ["auth.account.register", account],
    result: { userId: 7, confirmationSent: true },
    reply: { success: true },
  },
  {
    method: "RegistrationUser",
    request: { token_pod: "c" },
    asks: ["auth.account.confirm", { token: "c", registrationSecret: "", password: "", rotating: false }],
    result: tokens,
    reply: { access_token: tokens.accessToken, cookie },
  },
  {
    method: "RefreshToken",
    request: { refresh_token: "r" },
    asks: ["auth.session.refresh", { refreshToken: "r" }],
    result: tokens,
    reply: { access_token: tokens.accessToken },
  },
  {
    method: "Authenticate",
    request: { login: "ada.l", password: "correct horse" },
    asks: ["auth.session.login", { login: "ada.l", password: "correct horse", rotating: false }],
    result: { tokens, challenge: null },
    reply: { access_token: tokens.accessToken, cookie },
  },
  {
    method: "CurrentUser",
    request: { access_token: "a" },
    asks: ["auth.session.inspect", { accessToken: "a" }],
    result: identity,
    reply: user,
  },
  {
    method: "CurrentUser",
    request: { access_token: "a" },
    asks: ["auth.session.inspect", { accessToken: "a" }],
    result: { ...identity, roles: ["editor", "admin"] },
    reply: { ...user, role: "admin" },
  },
  {
    method: "LogOutUser",
    request: { token_pod: "a" },
    asks: ["auth.session.logout", { accessToken: "a" }],
    result: {},
    reply: {},
  },
];

let started: StartedBridge;
beforeAll(async () => {
  started = await startBridge();
});
afterAll(() => started.stop());

test.each(rows)("$method asks $asks.0 and gives its answer", async ({ method, request, asks, result, reply }) => {
  started.fleet.reply = async () => result;
  const answer = await started.gateway.call(method, request);
  expect(answer).toMatchObject({ status: "OK", code: undefined });
  expect(answer.reply).toEqual(reply);
  const { topic, input } = started.fleet.asked.at(-1)!;
  expect([topic, input]).toEqual(asks);
});

test("fields that are not given go to the fleet as empty texts, for it to refuse", async () => {
  started.fleet.reply = async () => ({ userId: 1, confirmationSent: true });
  await started.gateway.call("CreateUser", {});
  expect(started.fleet.asked.at(-1)!.input).toEqual({ login: "", username: "", email: "", password: "" });
});

test("the cookie follows AUTH_COOKIE_MAX_AGE and AUTH_COOKIE_SAMESITE", async () => {
  const other = await startBridge({ env: { AUTH_COOKIE_MAX_AGE: "90m", AUTH_COOKIE_SAMESITE: "lax" } });
  other.fleet.reply = async () => tokens;
  const { reply } = await other.gateway.call("RegistrationUser", { token_pod: "c" });
  await other.stop();
  expect(reply).toMatchObject({ cookie: { max_age: 5400, samesite: "lax" } });
});

test("the default of the cookie's age is seven days", () => {
  expect(configOf().AUTH_COOKIE_MAX_AGE).toBe(7 * 24 * 3600 * 1000);
});
