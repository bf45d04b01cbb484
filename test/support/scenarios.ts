// What a scenario is made of. The scenario of a command lies in test/handlers/<area>/<command>.scenario.ts: it has the
// command carried out, and refused in the ways that touch a secret. test/handlers/scenarios.ts finds them by the tree.
// Each runs at the handlers (test/handlers/scenarios.test.ts), with its secrets looked for (test/secrets.test.ts) and
// delivered again (test/redelivery-commands.test.ts).
import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { permissions } from "../../src/command/admin/permissions.ts";
import { totpCode, totpStep } from "../../src/crypto/totp.ts";
import type { Gateway } from "../bridge/gateway.ts";
import { makeAuthenticator } from "./authenticator.ts";
import { fromBase32 } from "./factors.ts";

export interface Scenario {
  run(runner: ScenarioRunner, topic: string): Promise<void>;
  /** Of an administrative command: what it takes (test/command/admin/rank.test.ts). */
  rights?: Rights;
  /** Only its refusals are stored answers: it counts or audits those, and otherwise reads. */
  readsOnly?: true;
  /**
   * Of a command that needs no session and no administrator, and is not in test/support/enumeration.ts: why it does not
   * tell a stranger who has an account.
   */
  tellsNothing?: string;
}

/** What an administrative command takes, and what it does to whom. */
export interface Rights {
  permission: keyof typeof permissions;
  /** Reading takes the permission alone. */
  does:
    | "acts on a user"
    | "changes a role"
    | "gives and takes roles"
    | "enrols operators"
    | "removes operators"
    | "reads";
  /** Of the request, beside actorToken. */
  input(on: { target: string; role: string }): object;
}

export function scenario(of: Scenario): Scenario {
  return of;
}

export const userRights = (permission: Rights["permission"], more: object = {}): Rights => ({
  permission,
  does: "acts on a user",
  input: ({ target }) => ({ target, reason: "a test", ...more }),
});

export const roleRights = (more: object = {}): Rights => ({
  permission: "roles.change",
  does: "changes a role",
  input: ({ role }) => ({ role, reason: "a test", ...more }),
});

export const readingRights = (permission: Rights["permission"], more: object = {}): Rights => ({
  permission,
  does: "reads",
  input: ({ target }) => ({ target, ...more }),
});

export type Answer = Record<string, unknown>;

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

/** A registered user whose address is confirmed, with the session of confirming. */
export interface NewUser {
  login: string;
  email: string;
  password: string;
  accessToken: string;
  refreshToken: string;
}

/** In JSON, in base64 and in base64url it looks otherwise than plain. */
export const newPassword = (): string => `"\\ß€ ~~??>> ${randomBytes(12).toString("hex")}`;

export const newAccount = () => {
  const login = `u${randomBytes(6).toString("hex")}`;
  return { login, username: login, email: `${login}@example.com`, password: newPassword() };
};

export async function newUser({ ask, mailedToken }: ScenarioRunner): Promise<NewUser> {
  const account = newAccount();
  const { registrationSecret } = await ask("auth.account.register", account);
  const proven = { token: await mailedToken(account.email), registrationSecret, password: "" };
  const tokens = await ask("auth.account.confirm", proven);
  return { ...account, accessToken: String(tokens["accessToken"]), refreshToken: String(tokens["refreshToken"]) };
}

/** Of the same form and about the same row, but never issued. */
export const forged = (token: string): string => `${token.split(".")[0]}.${randomBytes(32).toString("base64url")}`;

export const text = (answer: Answer, name: string): string => String(answer[name]);

/** With an authenticator app; the access token is current. */
export async function newUserWithApp(runner: ScenarioRunner): Promise<NewUser & { secret: Buffer; codes: string[] }> {
  const one = await newUser(runner);
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
export async function newUserWithPasskey(runner: ScenarioRunner) {
  const one = await newUser(runner);
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

export async function challengeOf(runner: ScenarioRunner, { login, password }: NewUser): Promise<string> {
  const { challenge } = await runner.ask("auth.session.login", { login, password });
  return text(challenge as Answer, "challenge");
}

/** Given by an operator, on a new user; refused to a user without the permission. */
export function actOnUser(more: object): Scenario["run"] {
  return async (runner, topic) => {
    const { login, accessToken } = await newUser(runner);
    await runner.refused(topic, { actorToken: accessToken, target: login, ...more });
    await runner.ask(topic, { actorToken: await runner.operatorToken(), target: login, ...more });
  };
}

/** Given by an operator, on no user; refused to a user without the permission. */
export function actOnRoles(input: () => object): Scenario["run"] {
  return async (runner, topic) => {
    const { accessToken } = await newUser(runner);
    const fields = input();
    await runner.refused(topic, { actorToken: accessToken, ...fields });
    await runner.ask(topic, { actorToken: await runner.operatorToken(), ...fields });
  };
}

/** What auth.admin.add-operator is given beside the actor. */
export function newOperator(): { name: string; publicKey: string; permissions: string[] } {
  return { name: newAccount().login, publicKey: newPublicKey(), permissions: ["users.read"] };
}

/** Of an operator, as a JWK. */
export function newPublicKey(): string {
  return JSON.stringify(generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }));
}

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
