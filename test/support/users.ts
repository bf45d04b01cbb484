// Users for tests: accounts with names of their own, registered and confirmed through Kafka like all others.
import { randomBytes } from "node:crypto";
import type { SessionTokens } from "../../src/accounts/sessions.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import type { TestFleet } from "./test-fleet.ts";

export interface TestUser {
  login: string;
  username: string;
  email: string;
  password: string;
  /** Default: none. */
  locale?: string | null;
}

export function newUser(prefix = "u"): TestUser {
  const login = `${prefix}${randomBytes(6).toString("hex")}`;
  return { login, username: login, email: `${login}@example.com`, password: `secret of ${login}` };
}

export interface Registered extends TestUser {
  id: number;
  /** What registering answered. */
  registrationSecret: string;
}

/** Two ways to show that whoever opens a confirmation link is whoever registered. */
export const bySecret = ({ registrationSecret }: Pick<Registered, "registrationSecret">) => ({
  registrationSecret,
  password: "",
});
export const byPassword = ({ password }: Pick<TestUser, "password">) => ({ registrationSecret: "", password });

export async function registered(fleet: TestFleet, user: TestUser = newUser()): Promise<Registered> {
  const { userId, registrationSecret } = await fleet.client.request("auth.account.register", user);
  return { ...user, id: userId!, registrationSecret };
}

export interface Confirmed extends Registered {
  /** The session that confirming opened. */
  tokens: SessionTokens;
  /** The token that was used for it. */
  confirmationToken: string;
}

export async function confirmed(fleet: TestFleet, user: TestUser = newUser()): Promise<Confirmed> {
  const made = await registered(fleet, user);
  const confirmationToken = await fleet.confirmationToken(user.username);
  const tokens = await fleet.client.request("auth.account.confirm", {
    token: confirmationToken,
    ...bySecret(made),
  });
  return { ...made, tokens, confirmationToken };
}

export async function loggedIn(
  fleet: TestFleet,
  { login, password }: TestUser,
  rotating = true,
): Promise<SessionTokens> {
  const { tokens } = await fleet.client.request("auth.session.login", { login, password, rotating });
  return tokens!;
}

export interface Holder extends Confirmed {
  accessToken: string;
}

/** A user with these roles, which the operator of the token gave them, logged in. */
export async function holderOf(fleet: TestFleet, actorToken: string, roles: string[]): Promise<Holder> {
  const user = await confirmed(fleet);
  await fleet.client.request("auth.admin.set-roles", { actorToken, target: user.login, roles, reason: "a test" });
  return { ...user, accessToken: (await loggedIn(fleet, user)).accessToken };
}

/** The code with which a call was refused. @throws Error where it was not */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  return (await refused(call)).code;
}

export async function refused(call: Promise<unknown>): Promise<Refusal> {
  const answer = await call.then(
    (value) => value,
    (error: unknown) => error,
  );
  if (answer instanceof Refusal) return answer;
  throw answer instanceof Error ? answer : new Error(`it was not refused: ${JSON.stringify(answer)}`);
}

/**
 * Gives them 1,100 sessions that are over, with so much said of their devices that a copy of what is held about them
 * has no room for all.
 */
export async function withTooMuch({ sql }: TestFleet, { id }: Registered): Promise<void> {
  await sql.query(
    `INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, created_at, expires_at, ended_at, amr, client)
     SELECT gen_random_uuid(), user_id, rotating, refresh_hash, refresh_key, created_at - n * interval '1 hour', expires_at, now(), amr,
       jsonb_build_object('userAgent', repeat('"\\', 500)) FROM sessions, generate_series(1, 1100) AS n WHERE user_id = $1`,
    [id],
  );
}
