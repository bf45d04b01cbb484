// What each command is made to do while its secrets are looked for: carried out, and refused in the ways that touch a secret. A new command
// needs a line in `exercises`; test/secrets.test.ts says so.
import { randomBytes } from "node:crypto";
import type { Gateway } from "../bridge/gateway.ts";

type Answer = Record<string, unknown>;

/** A fleet to act on: whatever is sealed in what is asked and answered is noted as a secret. */
export interface Stage {
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
async function somebody({ ask, mailedToken }: Stage): Promise<Somebody> {
  const account = newAccount();
  await ask("auth.account.register", account);
  const tokens = await ask("auth.account.confirm", { token: await mailedToken(account.email) });
  return { ...account, accessToken: String(tokens["accessToken"]), refreshToken: String(tokens["refreshToken"]) };
}

/** Of the same form and row, but never issued. */
const forged = (token: string): string => `${token.split(".")[0]}.${randomBytes(32).toString("base64url")}`;

/** For an operator, on somebody; refused without the right. */
function onSomebody(topic: string, more: object): (stage: Stage) => Promise<void> {
  return async (stage) => {
    const { login, accessToken } = await somebody(stage);
    await stage.refused(topic, { actorToken: accessToken, target: login, ...more });
    await stage.ask(topic, { actorToken: await stage.operatorToken(), target: login, ...more });
  };
}

/** For an operator, on nobody; refused without the right. */
function onRoles(topic: string, input: () => object): (stage: Stage) => Promise<void> {
  return async (stage) => {
    const { accessToken } = await somebody(stage);
    const fields = input();
    await stage.refused(topic, { actorToken: accessToken, ...fields });
    await stage.ask(topic, { actorToken: await stage.operatorToken(), ...fields });
  };
}

export const exercises: Record<string, (stage: Stage) => Promise<void>> = {
  async "auth.account.register"({ ask, refused }) {
    const account = newAccount();
    await ask("auth.account.register", account);
    await refused("auth.account.register", { ...account, password: newPassword() });
    await refused("auth.account.register", { ...newAccount(), password: newPassword().slice(0, 14) }); // too weak
    await refused("auth.account.register", { ...newAccount(), password: newPassword().padEnd(2000, "x") });
  },
  async "auth.account.confirm"({ ask, refused, mailedToken }) {
    const account = newAccount();
    await ask("auth.account.register", account);
    const token = await mailedToken(account.email);
    await refused("auth.account.confirm", { token: forged(token) });
    await ask("auth.account.confirm", { token, rotating: false });
    await refused("auth.account.confirm", { token });
  },
  async "auth.account.resend"({ ask, mailedToken }) {
    const account = newAccount();
    await ask("auth.account.register", account);
    await mailedToken(account.email);
    await ask("auth.account.resend", { email: account.email });
    await mailedToken(account.email);
  },
  async "auth.account.delete"(stage) {
    const { accessToken, password } = await somebody(stage);
    await stage.refused("auth.account.delete", { accessToken, password: newPassword() });
    await stage.ask("auth.account.delete", { accessToken, password });
    await stage.refused("auth.account.delete", { accessToken, password });
  },
  async "auth.account.export"(stage) {
    const { accessToken } = await somebody(stage);
    await stage.ask("auth.account.export", { accessToken });
    await stage.refused("auth.account.export", { accessToken });
  },
  async "auth.session.login"(stage) {
    const { login, password } = await somebody(stage);
    await stage.ask("auth.session.login", { login, password });
    await stage.ask("auth.session.login", { login, password, rotating: false });
    await stage.refused("auth.session.login", { login, password: newPassword() });
    await stage.refused("auth.session.login", { login: newAccount().login, password: newPassword() });
    await stage.refused("auth.session.login", { login: "", password: newPassword() });
  },
  async "auth.session.refresh"(stage) {
    const { refreshToken } = await somebody(stage);
    await stage.refused("auth.session.refresh", { refreshToken: forged(refreshToken) });
    const second = await stage.ask("auth.session.refresh", { refreshToken });
    await stage.ask("auth.session.refresh", { refreshToken: second["refreshToken"] });
    await stage.refused("auth.session.refresh", { refreshToken }); // an ancestor: the session ends
  },
  async "auth.session.inspect"(stage) {
    const { accessToken, refreshToken } = await somebody(stage);
    await stage.ask("auth.session.inspect", { accessToken });
    await stage.refused("auth.session.inspect", { accessToken: refreshToken });
  },
  async "auth.session.logout"(stage) {
    const { accessToken, login, password } = await somebody(stage);
    await stage.ask("auth.session.logout", { accessToken });
    await stage.refused("auth.session.logout", { accessToken });
    const { tokens } = await stage.ask("auth.session.login", { login, password });
    await stage.ask("auth.session.logout", { accessToken: (tokens as Answer)["accessToken"], everywhere: true });
  },
  async "auth.session.revoke"(stage) {
    const { accessToken } = await somebody(stage);
    await stage.ask("auth.session.revoke", { accessToken, others: true });
    await stage.refused("auth.session.revoke", {
      accessToken: `${accessToken.slice(0, -20)}${randomBytes(15).toString("base64url")}`,
    });
  },
  async "auth.session.list"(stage) {
    const { accessToken, refreshToken } = await somebody(stage);
    await stage.ask("auth.session.list", { accessToken });
    await stage.refused("auth.session.list", { accessToken: refreshToken });
  },
  async "auth.access.check"(stage) {
    const { accessToken, refreshToken } = await somebody(stage);
    await stage.ask("auth.access.check", { accessToken, permission: "users.ban" });
    await stage.refused("auth.access.check", { accessToken: refreshToken, permission: "users.ban" });
  },
  async "auth.password.change"(stage) {
    const { accessToken, password } = await somebody(stage);
    const change = { accessToken, currentPassword: password, newPassword: newPassword() };
    await stage.refused("auth.password.change", { ...change, currentPassword: newPassword() });
    await stage.refused("auth.password.change", { ...change, newPassword: newPassword().slice(0, 14) });
    await stage.ask("auth.password.change", change);
  },
  async "auth.password.forgot"({ ask }) {
    await ask("auth.password.forgot", { email: newAccount().email });
  },
  async "auth.password.reset"(stage) {
    const { ask, refused, mailedToken } = stage;
    const { email, login } = await somebody(stage);
    await ask("auth.password.forgot", { email });
    const token = await mailedToken(email);
    const password = newPassword();
    await refused("auth.password.reset", { token: forged(token), newPassword: newPassword() });
    await refused("auth.password.reset", { token, newPassword: newPassword().slice(0, 14) });
    await ask("auth.password.reset", { token, newPassword: password });
    await refused("auth.password.reset", { token, newPassword: newPassword() });
    await ask("auth.session.login", { login, password });
  },
  async "auth.account.change-email"(stage) {
    const { accessToken, password } = await somebody(stage);
    const newEmail = newAccount().email;
    await stage.refused("auth.account.change-email", { accessToken, password: newPassword(), newEmail });
    await stage.refused("auth.account.change-email", { accessToken, password, newEmail: "no address" });
    await stage.ask("auth.account.change-email", { accessToken, password, newEmail });
  },
  async "auth.account.confirm-email"(stage) {
    const { accessToken, password } = await somebody(stage);
    const newEmail = newAccount().email;
    await stage.ask("auth.account.change-email", { accessToken, password, newEmail });
    const token = await stage.mailedToken(newEmail);
    await stage.refused("auth.account.confirm-email", { token: forged(token) });
    await stage.ask("auth.account.confirm-email", { token });
    await stage.refused("auth.account.confirm-email", { token });
  },
  async "auth.key.list"({ ask }) {
    await ask("auth.key.list", {});
  },
  "auth.admin.get-user": onSomebody("auth.admin.get-user", {}),
  async "auth.admin.find-users"(stage) {
    const { login, accessToken } = await somebody(stage);
    const asked = { search: login.slice(0, 4), cursor: "", limit: 1 };
    await stage.refused("auth.admin.find-users", { actorToken: accessToken, ...asked });
    const actorToken = await stage.operatorToken();
    const { cursor } = await stage.ask("auth.admin.find-users", { actorToken, ...asked });
    await stage.ask("auth.admin.find-users", { actorToken, ...asked, cursor });
  },
  "auth.admin.list-sessions": onSomebody("auth.admin.list-sessions", {}),
  "auth.admin.revoke-sessions": onSomebody("auth.admin.revoke-sessions", { reason: "a test" }),
  "auth.admin.list-roles": onRoles("auth.admin.list-roles", () => ({})),
  "auth.admin.change-role": onRoles("auth.admin.change-role", () => ({ role: newAccount().login, create: true })),
  async "auth.admin.delete-role"(stage) {
    const role = newAccount().login;
    await stage.ask("auth.admin.change-role", { actorToken: await stage.operatorToken(), role, create: true });
    await onRoles("auth.admin.delete-role", () => ({ role }))(stage);
  },
  "auth.admin.set-roles": onSomebody("auth.admin.set-roles", { roles: ["admin"], reason: "a test" }),
  "auth.admin.ban-user": onSomebody("auth.admin.ban-user", { reason: "a test" }),
  "auth.admin.unban-user": onSomebody("auth.admin.unban-user", { reason: "a test" }),
  "auth.admin.unlock-user": onSomebody("auth.admin.unlock-user", { reason: "a test" }),
  "auth.admin.delete-user": onSomebody("auth.admin.delete-user", { reason: "a test" }),
};

/** The gateway's six methods, and refusals of those that take a secret. */
export async function throughBridge({ call }: Gateway, { note, mailedToken }: Stage): Promise<void> {
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
