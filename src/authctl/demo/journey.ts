// The steps of the demo: signing up, logging in, refreshing, being given a role, logging out. Each goes through Kafka
// as a service's request would. The account is new and random, its password is never shown, and it keeps no role that
// the demo gave it, also when the demo fails.
import { randomBytes } from "node:crypto";
import type { AuthClient, Topic } from "../../client/types.ts";
import type { Commands, SessionInspectResult, Tokens } from "../../protocol/generated/schemas.ts";
import type { SignOperator } from "../connect/operator.ts";
import { rolesText } from "../users/show.ts";
import { type Confirmations, confirmationTopic } from "./confirmation.ts";
import { type StepName, type Steps, Unexpected } from "./steps.ts";

export interface DemoDeps {
  client: AuthClient;
  steps: Steps;
  confirmations: Confirmations;
  /** Undefined where there is no operator's key: the steps on the role are left out. */
  sign: SignOperator | undefined;
  /** Whether the fleet has a grace time, in which the previous refresh token returns the same successor again. */
  grace: boolean;
}

interface Account {
  login: string;
  username: string;
  email: string;
  password: string;
}

const timeoutMs = 15_000;
/** A mail takes some 50 ms; one that has not come by then was sent before this consumer read. */
const firstMailMs = 5000;
const secondMailMs = 10_000;
const role = "admin";

export function newAccount(): Account {
  const login = `demo-${randomBytes(6).toString("hex")}`;
  // 256 characters: the highest AUTH_PASSWORD_MIN that a fleet can have.
  return { login, username: login, email: `${login}@example.org`, password: randomBytes(192).toString("base64url") };
}

export async function journey(demo: DemoDeps, account: Account): Promise<void> {
  await signUp(demo, account);
  const { tokens, identity } = await logIn(demo, account);
  const current = await goOn(demo, account, tokens);
  if (demo.sign === undefined) {
    demo.steps.leftOut(setRoles(`make ${role}, as operator`), "needs AUTH_OPERATOR_KEY_FILE");
    return logOut(demo, current);
  }
  await promoted(demo, identity, async () => logOut(demo, await useRole(demo, current)));
}

const setRoles = (does: string): StepName => [does, "auth.admin.set-roles"];

function ask<T extends Topic>(
  { client }: DemoDeps,
  topic: T,
  input: Commands[T]["input"],
): Promise<Commands[T]["result"]> {
  return client.request(topic, input, { timeoutMs });
}

async function signUp(demo: DemoDeps, account: Account): Promise<void> {
  const { steps, confirmations } = demo;
  await steps.ok(["ask for the fleet's keys", "auth.key.list"], () => ask(demo, "auth.key.list", {}), tellKeys);
  const { userId, registrationSecret } = await steps.ok(
    ["register", "auth.account.register"],
    () => ask(demo, "auth.account.register", account),
    (result) => `${result.userId === null ? "" : `user ${result.userId}, `}login ${account.login}`,
  );
  const { token } = await steps.ok(
    ["read the confirmation mail", `${confirmationTopic} (JSON)`],
    () =>
      confirmations.to(account.email, firstMailMs).catch(async () => {
        await ask(demo, "auth.account.resend", { email: account.email });
        return confirmations.to(account.email, secondMailMs);
      }),
    ({ id }) => {
      if (userId !== null && id !== userId) throw new Unexpected(`The mail is for user ${id}, not for ${userId}.`);
      return "its token came, as the platform's mailer gets it";
    },
  );
  const { login, password } = account;
  await steps.refused(["log in before confirming", "auth.session.login"], "NOT_CONFIRMED", () =>
    ask(demo, "auth.session.login", { login, password }),
  );
  await steps.ok(
    ["confirm", "auth.account.confirm"],
    () => ask(demo, "auth.account.confirm", { token, registrationSecret, password: "" }),
    tellSession,
  );
}

async function logIn(demo: DemoDeps, { login, password }: Account) {
  const { tokens } = await demo.steps.ok(
    ["log in", "auth.session.login"],
    () => ask(demo, "auth.session.login", { login, password }),
    (result) => {
      if (result.tokens === null)
        throw new Unexpected("The login asks for a second factor, which a new account does not have.");
      return tellSession(result.tokens);
    },
  );
  const identity = await inspect(demo, "inspect the access token", tokens!.accessToken);
  return { tokens: tokens!, identity };
}

async function goOn(demo: DemoDeps, { login }: Account, first: Tokens): Promise<Tokens> {
  const { steps } = demo;
  const refresh = () => ask(demo, "auth.session.refresh", { refreshToken: first.refreshToken });
  const second = await steps.ok(["refresh", "auth.session.refresh"], refresh, ({ refreshToken }) => {
    if (refreshToken === first.refreshToken)
      throw new Unexpected("The session should rotate, but its refresh token stayed.");
    return "a new refresh token";
  });
  const again: StepName = ["refresh with the old token again", "auth.session.refresh"];
  if (demo.grace) {
    await steps.ok(again, refresh, ({ refreshToken }) => {
      if (refreshToken !== second.refreshToken) throw new Unexpected("The old refresh token got another successor.");
      return "the same successor (a lost answer does no harm)";
    });
  } else steps.leftOut(again, "AUTH_REFRESH_GRACE is 0s");
  await steps.refused(["log in with a wrong password", "auth.session.login"], "INVALID_CREDENTIALS", () =>
    ask(demo, "auth.session.login", { login, password: "not the password" }),
  );
  return second;
}

/** The role is taken back whatever happens in between: a failed demo must leave no administrator. */
async function promoted(demo: DemoDeps, identity: SessionInspectResult, act: () => Promise<void>): Promise<void> {
  const { steps, sign } = demo;
  const target = `id:${identity.userId}`;
  const set = async (roles: string[], reason: string) =>
    ask(demo, "auth.admin.set-roles", { actorToken: await sign!(), target, roles, reason });
  const shown = ({ roles }: { roles: string[] }): string => `roles: ${rolesText(roles)}`;
  try {
    const asked = [...identity.roles, role];
    await steps.ok(setRoles(`make ${role}, as operator`), () => set(asked, "authctl demo"), shown);
    await act();
  } catch (error) {
    await set(identity.roles, "authctl demo failed").catch(() => undefined);
    throw error;
  }
  await steps.ok(setRoles("take the role back"), () => set(identity.roles, "authctl demo ends"), shown);
}

async function useRole(demo: DemoDeps, current: Tokens): Promise<Tokens> {
  const { steps } = demo;
  await steps.refused(["inspect the token from before", "auth.session.inspect"], "TOKEN_EXPIRED", () =>
    ask(demo, "auth.session.inspect", { accessToken: current.accessToken }),
  );
  const renewed = await steps.ok(
    ["refresh", "auth.session.refresh"],
    () => ask(demo, "auth.session.refresh", { refreshToken: current.refreshToken }),
    () => "an access token with the new roles",
  );
  const { roles } = await inspect(demo, "inspect it", renewed.accessToken);
  if (!roles.includes(role)) throw new Unexpected(`The new access token should have the role ${role}, and does not.`);
  return renewed;
}

async function logOut(demo: DemoDeps, { accessToken }: Tokens): Promise<void> {
  const { steps } = demo;
  await steps.ok(
    ["log out everywhere", "auth.session.logout"],
    () => ask(demo, "auth.session.logout", { accessToken, everywhere: true }),
    () => "all sessions are over",
  );
  await steps.refused(["inspect the token once more", "auth.session.inspect"], "SESSION_REVOKED", () =>
    ask(demo, "auth.session.inspect", { accessToken }),
  );
}

function inspect(demo: DemoDeps, does: string, accessToken: string): Promise<SessionInspectResult> {
  return demo.steps.ok(
    [does, "auth.session.inspect"],
    () => ask(demo, "auth.session.inspect", { accessToken }),
    ({ login, roles }) => `${login}, roles: ${rolesText(roles)}`,
  );
}

function tellKeys({ jwks }: { jwks: string }): string {
  const { keys } = JSON.parse(jwks) as { keys: { use: string }[] };
  const count = (use: string): number => keys.filter((key) => key.use === use).length;
  if (count("sig") === 0 || count("enc") === 0)
    throw new Unexpected("The fleet lacks a signing or a sealing key: run migrate.");
  return `${count("sig")} to verify tokens, ${count("enc")} to seal to`;
}

function tellSession({ sessionId }: { sessionId: string }): string {
  return `session ${sessionId}`;
}
