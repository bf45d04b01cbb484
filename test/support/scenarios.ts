// What each command is made to do while its secrets are looked for: carried out, and refused in the ways that touch a secret. A new command
// needs a line in `scenarios`; test/secrets.test.ts says so.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { totpCode, totpStep } from "../../src/crypto/totp.ts";
import type { Gateway } from "../bridge/gateway.ts";
import { makeAuthenticator } from "./authenticator.ts";
import { fromBase32 } from "./factors.ts";

type Answer = Record<string, unknown>;

/** A fleet to act on: whatever is sealed in what is asked and answered is noted as a secret. */
export interface ScenarioRunner {
  /** @throws Refusal */
  ask(topic: string, input: object): Promise<Answer>;
  /** @returns the code. @throws Error where it was not refused */
  refused(topic: string, input: object): Promise<string>;
  /** The token in the latest confirmation mail to the address. */
  mailedToken(email: string): Promise<string>;
  note(name: string, value: string): void;
  /** A token as authctl signs it. */
  operatorToken(): Promise<string>;
}

interface Somebody {
  login: string;
  email: string;
  password: string;
  accessToken: string;
  refreshToken: string;
}

/** In JSON, in base64 and in base64url it looks otherwise than plain. */
export const newPassword = (): string => `"\\ß€ ~~??>> ${randomBytes(12).toString("hex")}`;

const newAccount = () => {
  const login = `u${randomBytes(6).toString("hex")}`;
  return { login, username: login, email: `${login}@example.com`, password: newPassword() };
};

/** Registered and confirmed, with the session of confirming. */
async function somebody({ ask, mailedToken }: ScenarioRunner): Promise<Somebody> {
  const account = newAccount();
  const { registrationSecret } = await ask("auth.account.register", account);
  const proven = { token: await mailedToken(account.email), registrationSecret, password: "" };
  const tokens = await ask("auth.account.confirm", proven);
  return { ...account, accessToken: String(tokens["accessToken"]), refreshToken: String(tokens["refreshToken"]) };
}

/** Of the same form and row, but never issued. */
const forged = (token: string): string => `${token.split(".")[0]}.${randomBytes(32).toString("base64url")}`;

const text = (answer: Answer, name: string): string => String(answer[name]);

/** With an authenticator app; the access token is current. */
async function withApp(runner: ScenarioRunner): Promise<Somebody & { secret: Buffer; codes: string[] }> {
  const one = await somebody(runner);
  const { login, password } = one;
  const first = (await runner.ask("auth.session.login", { login, password }))["tokens"] as Answer;
  const { accessToken, refreshToken } = first;
  const secret = fromBase32(text(await runner.ask("auth.mfa.enroll", { accessToken }), "secret"));
  const code = totpCode(secret, totpStep(Date.now()));
  const { codes } = await runner.ask("auth.mfa.activate", { accessToken, code });
  const renewed = await runner.ask("auth.session.refresh", { refreshToken });
  const current = { accessToken: text(renewed, "accessToken"), refreshToken: text(renewed, "refreshToken") };
  return { ...one, ...current, secret, codes: codes as string[] };
}

/** With a passkey; the access token is current. */
async function withPasskey(runner: ScenarioRunner) {
  const one = await somebody(runner);
  const { login, password } = one;
  const first = (await runner.ask("auth.session.login", { login, password }))["tokens"] as Answer;
  const { accessToken, refreshToken } = first;
  const device = makeAuthenticator();
  const begun = await runner.ask("auth.passkey.begin-registration", { accessToken });
  const { challenge } = begun;
  const answer = { accessToken, challenge, response: device.create(text(begun, "options")) };
  await runner.refused("auth.passkey.finish-registration", { ...answer, challenge: forged(text(begun, "challenge")) });
  const { passkeyId } = await runner.ask("auth.passkey.finish-registration", answer);
  const renewed = await runner.ask("auth.session.refresh", { refreshToken });
  return { ...one, device, passkeyId, accessToken: text(renewed, "accessToken") };
}

async function challengeOf(runner: ScenarioRunner, { login, password }: Somebody): Promise<string> {
  const { challenge } = await runner.ask("auth.session.login", { login, password });
  return text(challenge as Answer, "challenge");
}

/** For an operator, on somebody; refused without the right. */
function onSomebody(topic: string, more: object): (runner: ScenarioRunner) => Promise<void> {
  return async (runner) => {
    const { login, accessToken } = await somebody(runner);
    await runner.refused(topic, { actorToken: accessToken, target: login, ...more });
    await runner.ask(topic, { actorToken: await runner.operatorToken(), target: login, ...more });
  };
}

/** For an operator, on nobody; refused without the right. */
function onRoles(topic: string, input: () => object): (runner: ScenarioRunner) => Promise<void> {
  return async (runner) => {
    const { accessToken } = await somebody(runner);
    const fields = input();
    await runner.refused(topic, { actorToken: accessToken, ...fields });
    await runner.ask(topic, { actorToken: await runner.operatorToken(), ...fields });
  };
}

function newOperator(): { name: string; publicKey: string; permissions: string[] } {
  const { publicKey } = generateKeyPairSync("ed25519");
  const jwk = JSON.stringify(publicKey.export({ format: "jwk" }));
  return { name: newAccount().login, publicKey: jwk, permissions: ["users.read"] };
}

export const scenarios: Record<string, (runner: ScenarioRunner) => Promise<void>> = {
  async "auth.account.register"({ ask, refused }) {
    const account = newAccount();
    await ask("auth.account.register", account);
    await refused("auth.account.register", { ...account, password: newPassword() });
    await refused("auth.account.register", { ...newAccount(), password: newPassword().slice(0, 14) }); // too weak
    await refused("auth.account.register", { ...newAccount(), password: newPassword().padEnd(2000, "x") });
  },
  async "auth.account.confirm"({ ask, refused, mailedToken }) {
    const account = newAccount();
    const { password } = account;
    await ask("auth.account.register", account);
    const token = await mailedToken(account.email);
    const given = { token, registrationSecret: "", password };
    await refused("auth.account.confirm", { ...given, token: forged(token) });
    await refused("auth.account.confirm", { ...given, password: newPassword() });
    await refused("auth.account.confirm", { ...given, registrationSecret: forged("a.").slice(2), password: "" });
    await ask("auth.account.confirm", { ...given, rotating: false });
    await refused("auth.account.confirm", given);
  },
  async "auth.account.resend"({ ask, mailedToken }) {
    const account = newAccount();
    await ask("auth.account.register", account);
    await mailedToken(account.email);
    await ask("auth.account.resend", { email: account.email });
    await mailedToken(account.email);
  },
  async "auth.account.delete"(runner) {
    const { accessToken, password } = await somebody(runner);
    await runner.refused("auth.account.delete", { accessToken, password: newPassword() });
    await runner.ask("auth.account.delete", { accessToken, password });
    await runner.refused("auth.account.delete", { accessToken, password });
  },
  async "auth.account.export"(runner) {
    const { accessToken } = await somebody(runner);
    await runner.ask("auth.account.export", { accessToken });
    await runner.refused("auth.account.export", { accessToken });
  },
  async "auth.account.change-locale"(runner) {
    const { accessToken } = await somebody(runner);
    await runner.ask("auth.account.change-locale", { accessToken, locale: "de" });
    await runner.refused("auth.account.change-locale", { accessToken, locale: "no language" });
  },
  async "auth.session.login"(runner) {
    const { login, password } = await somebody(runner);
    await runner.ask("auth.session.login", { login, password });
    await runner.ask("auth.session.login", { login, password, rotating: false });
    await runner.refused("auth.session.login", { login, password: newPassword() });
    await runner.refused("auth.session.login", { login: newAccount().login, password: newPassword() });
    await runner.refused("auth.session.login", { login: "", password: newPassword() });
  },
  async "auth.session.refresh"(runner) {
    const { refreshToken } = await somebody(runner);
    await runner.refused("auth.session.refresh", { refreshToken: forged(refreshToken) });
    const second = await runner.ask("auth.session.refresh", { refreshToken });
    await runner.ask("auth.session.refresh", { refreshToken: second["refreshToken"] });
    await runner.refused("auth.session.refresh", { refreshToken }); // an ancestor: the session ends
  },
  async "auth.session.inspect"(runner) {
    const { accessToken, refreshToken } = await somebody(runner);
    await runner.ask("auth.session.inspect", { accessToken });
    await runner.refused("auth.session.inspect", { accessToken: refreshToken });
  },
  async "auth.session.logout"(runner) {
    const { accessToken, login, password } = await somebody(runner);
    await runner.ask("auth.session.logout", { accessToken });
    await runner.refused("auth.session.logout", { accessToken, everywhere: true });
    const { tokens } = await runner.ask("auth.session.login", { login, password });
    await runner.ask("auth.session.logout", { accessToken: (tokens as Answer)["accessToken"], everywhere: true });
  },
  async "auth.session.revoke"(runner) {
    const { accessToken } = await somebody(runner);
    await runner.ask("auth.session.revoke", { accessToken, others: true });
    await runner.refused("auth.session.revoke", {
      accessToken: `${accessToken.slice(0, -20)}${randomBytes(15).toString("base64url")}`,
    });
  },
  async "auth.session.list"(runner) {
    const { accessToken, refreshToken } = await somebody(runner);
    await runner.ask("auth.session.list", { accessToken });
    await runner.refused("auth.session.list", { accessToken: refreshToken });
  },
  async "auth.access.check"(runner) {
    const { accessToken, refreshToken } = await somebody(runner);
    await runner.ask("auth.access.check", { accessToken, permission: "users.ban" });
    await runner.refused("auth.access.check", { accessToken: refreshToken, permission: "users.ban" });
  },
  async "auth.password.change"(runner) {
    const { accessToken, password } = await somebody(runner);
    const change = { accessToken, currentPassword: password, newPassword: newPassword() };
    await runner.refused("auth.password.change", { ...change, currentPassword: newPassword() });
    await runner.refused("auth.password.change", { ...change, newPassword: newPassword().slice(0, 14) });
    await runner.ask("auth.password.change", change);
  },
  async "auth.password.forgot"({ ask }) {
    await ask("auth.password.forgot", { email: newAccount().email });
  },
  async "auth.password.reset"(runner) {
    const { ask, refused, mailedToken } = runner;
    const { email, login } = await somebody(runner);
    await ask("auth.password.forgot", { email });
    const token = await mailedToken(email);
    const password = newPassword();
    await refused("auth.password.reset", { token: forged(token), newPassword: newPassword() });
    await refused("auth.password.reset", { token, newPassword: newPassword().slice(0, 14) });
    await ask("auth.password.reset", { token, newPassword: password });
    await refused("auth.password.reset", { token, newPassword: newPassword() });
    await ask("auth.session.login", { login, password });
  },
  async "auth.account.change-email"(runner) {
    const { accessToken, password } = await somebody(runner);
    const newEmail = newAccount().email;
    await runner.refused("auth.account.change-email", { accessToken, password: newPassword(), newEmail });
    await runner.refused("auth.account.change-email", { accessToken, password, newEmail: "no address" });
    await runner.ask("auth.account.change-email", { accessToken, password, newEmail });
  },
  async "auth.account.confirm-email"(runner) {
    const { accessToken, password } = await somebody(runner);
    const newEmail = newAccount().email;
    await runner.ask("auth.account.change-email", { accessToken, password, newEmail });
    const token = await runner.mailedToken(newEmail);
    await runner.refused("auth.account.confirm-email", { token: forged(token) });
    await runner.ask("auth.account.confirm-email", { token });
    await runner.refused("auth.account.confirm-email", { token });
  },
  async "auth.mfa.enroll"(runner) {
    const { accessToken, refreshToken } = await somebody(runner);
    await runner.ask("auth.mfa.enroll", { accessToken });
    await runner.refused("auth.mfa.enroll", { accessToken: refreshToken });
  },
  async "auth.mfa.activate"(runner) {
    const { accessToken } = await withApp(runner);
    await runner.refused("auth.mfa.activate", { accessToken, code: "a code that is none" });
  },
  async "auth.mfa.disable"(runner) {
    const { accessToken } = await withApp(runner);
    await runner.ask("auth.mfa.disable", { accessToken });
    await runner.refused("auth.mfa.disable", { accessToken });
  },
  async "auth.mfa.recovery-codes"(runner) {
    const { accessToken } = await withApp(runner);
    await runner.ask("auth.mfa.recovery-codes", { accessToken });
    const other = await somebody(runner);
    await runner.refused("auth.mfa.recovery-codes", { accessToken: other.accessToken });
  },
  async "auth.session.login-mfa"(runner) {
    const one = await withApp(runner);
    const challenge = await challengeOf(runner, one);
    const code = totpCode(one.secret, totpStep(Date.now()) + 1); // the present one was used to activate it
    await runner.refused("auth.session.login-mfa", { challenge: forged(challenge), method: "totp", code });
    await runner.refused("auth.session.login-mfa", { challenge, method: "recovery", code: "a code that is none" });
    await runner.ask("auth.session.login-mfa", { challenge, method: "totp", code });
    const [recovery = ""] = one.codes;
    const again = await challengeOf(runner, one);
    await runner.ask("auth.session.login-mfa", { challenge: again, method: "recovery", code: recovery });
  },
  async "auth.passkey.begin-registration"(runner) {
    const { accessToken, refreshToken } = await somebody(runner);
    await runner.ask("auth.passkey.begin-registration", { accessToken });
    await runner.refused("auth.passkey.begin-registration", { accessToken: refreshToken });
  },
  async "auth.passkey.finish-registration"(runner) {
    await withPasskey(runner);
  },
  async "auth.passkey.list"(runner) {
    const { accessToken } = await withPasskey(runner);
    await runner.ask("auth.passkey.list", { accessToken });
    await runner.refused("auth.passkey.list", { accessToken: forged("a.b") });
  },
  async "auth.passkey.remove"(runner) {
    const { accessToken, passkeyId } = await withPasskey(runner);
    await runner.ask("auth.passkey.remove", { accessToken, passkeyId });
    await runner.refused("auth.passkey.remove", { accessToken, passkeyId });
  },
  async "auth.passkey.begin-login"(runner) {
    const one = await withPasskey(runner);
    await runner.ask("auth.passkey.begin-login", { login: one.login, challenge: "" });
    await runner.ask("auth.passkey.begin-login", { login: newAccount().login, challenge: "" });
    const challenge = await challengeOf(runner, one);
    await runner.ask("auth.passkey.begin-login", { login: one.login, challenge });
    await runner.refused("auth.passkey.begin-login", { login: one.login, challenge: forged(challenge) });
  },
  async "auth.passkey.finish-login"(runner) {
    const { login, device } = await withPasskey(runner);
    const begun = await runner.ask("auth.passkey.begin-login", { login, challenge: "" });
    const { challenge } = begun;
    const wrong = device.get(text(begun, "options"), { forged: true });
    await runner.refused("auth.passkey.finish-login", { challenge, response: wrong });
    await runner.ask("auth.passkey.finish-login", { challenge, response: device.get(text(begun, "options")) });
  },
  async "auth.key.list"({ ask }) {
    await ask("auth.key.list", {});
  },
  "auth.admin.get-user": onSomebody("auth.admin.get-user", {}),
  async "auth.admin.find-users"(runner) {
    const { login, accessToken } = await somebody(runner);
    const asked = { search: login.slice(0, 4), cursor: "", limit: 1 };
    await runner.refused("auth.admin.find-users", { actorToken: accessToken, ...asked });
    const actorToken = await runner.operatorToken();
    const { cursor } = await runner.ask("auth.admin.find-users", { actorToken, ...asked });
    await runner.ask("auth.admin.find-users", { actorToken, ...asked, cursor });
  },
  "auth.admin.list-sessions": onSomebody("auth.admin.list-sessions", {}),
  "auth.admin.revoke-sessions": onSomebody("auth.admin.revoke-sessions", { reason: "a test" }),
  "auth.admin.list-roles": onRoles("auth.admin.list-roles", () => ({})),
  "auth.admin.change-role": onRoles("auth.admin.change-role", () => ({ role: newAccount().login, create: true })),
  async "auth.admin.delete-role"(runner) {
    const role = newAccount().login;
    await runner.ask("auth.admin.change-role", { actorToken: await runner.operatorToken(), role, create: true });
    await onRoles("auth.admin.delete-role", () => ({ role }))(runner);
  },
  "auth.admin.list-operators": onRoles("auth.admin.list-operators", () => ({})),
  "auth.admin.add-operator": onRoles("auth.admin.add-operator", newOperator),
  async "auth.admin.remove-operator"(runner) {
    const { name, ...more } = newOperator();
    await runner.ask("auth.admin.add-operator", { actorToken: await runner.operatorToken(), name, ...more });
    await onRoles("auth.admin.remove-operator", () => ({ name, kid: null }))(runner);
  },
  "auth.admin.set-roles": onSomebody("auth.admin.set-roles", { roles: ["admin"], reason: "a test" }),
  "auth.admin.ban-user": onSomebody("auth.admin.ban-user", { reason: "a test" }),
  "auth.admin.unban-user": onSomebody("auth.admin.unban-user", { reason: "a test" }),
  "auth.admin.unlock-user": onSomebody("auth.admin.unlock-user", { reason: "a test" }),
  "auth.admin.delete-user": onSomebody("auth.admin.delete-user", { reason: "a test" }),
  "auth.admin.export-user": onSomebody("auth.admin.export-user", { reason: "a test" }),
  "auth.admin.reset-mfa": onSomebody("auth.admin.reset-mfa", { reason: "a test" }),
  async "auth.admin.require-mfa"(runner) {
    const { accessToken } = await somebody(runner);
    const change = { role: "user", required: false, reason: "a test" };
    await runner.refused("auth.admin.require-mfa", { actorToken: accessToken, ...change });
    await runner.ask("auth.admin.require-mfa", { actorToken: await runner.operatorToken(), ...change });
  },
};

/** The gateway's six methods, and refusals of those that take a secret. */
export async function throughBridge({ call }: Gateway, { note, mailedToken }: ScenarioRunner): Promise<void> {
  const account = newAccount();
  const ok = async (method: string, request: object): Promise<{ access_token: string; cookie: { value: string } }> => {
    const { status, reply, details } = await call(method, request);
    if (status !== "OK") throw new Error(`${method}: ${status} ${details}`);
    return reply as { access_token: string; cookie: { value: string } };
  };
  const given = [account.password, newPassword(), forged("token.")];
  for (const value of given) note("gRPC request", value);
  await ok("CreateUser", account);
  await ok("RegistrationUser", { token_pod: await mailedToken(account.email) });
  const { access_token, cookie } = await ok("Authenticate", { login: account.login, password: account.password });
  await ok("CurrentUser", { access_token });
  const renewed = await ok("RefreshToken", { refresh_token: cookie.value });
  for (const value of [access_token, cookie.value, renewed.access_token]) note("gRPC reply", value);
  for (const [method, request] of [
    ["Authenticate", { login: account.login, password: given[1] }],
    ["CurrentUser", { access_token: given[2] }],
    ["RefreshToken", { refresh_token: given[2] }],
    ["LogOutUser", { token_pod: given[2] }],
    ["RegistrationUser", { token_pod: given[2] }],
  ] as const) {
    if ((await call(method, request)).status === "OK") throw new Error(`${method} was not refused`);
  }
  await ok("LogOutUser", { token_pod: access_token });
}
