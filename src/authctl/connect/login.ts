// authctl login and logout: an administrator's session for the commands that go through Kafka. Password and code are
// asked for and not shown, or read from standard input; they are never arguments, and no token is ever printed.
import { hostname } from "node:os";
import type { AuthClient } from "../../client/types.ts";
import { Refusal, refuse } from "../../protocol/errors.ts";
import type { SessionLoginResult } from "../../protocol/generated/schemas.ts";
import { packageVersion } from "../../runtime/package-root.ts";
import type { CommandResult, Invocation } from "../command.ts";
import { UsageFault } from "../faults.ts";
import { rolesText } from "../users/show.ts";
import { currentToken, isOver } from "./actor.ts";
import { type LoginFile, loginFile } from "./logins.ts";
import { findTarget } from "./target.ts";

type Tokens = NonNullable<SessionLoginResult["tokens"]>;
type Challenge = NonNullable<SessionLoginResult["challenge"]>;

/** Codes asked for at a terminal; the fleet accepts five attempts for one challenge. */
const codeTries = 3;

export async function login(call: Invocation): Promise<CommandResult> {
  const name = await askLogin(call);
  const target = findTarget(call.env);
  const file = loginFile(call.env, target.config);
  const secrets = await askSecrets(call);
  return call.reach(target, async ({ client }) => {
    const tokens = await requestTokens(call, client, { name, secrets });
    const before = file.read();
    file.write({ login: name, ...tokens });
    if (before !== undefined) await endBefore(client, before.accessToken);
    const { roles } = await client.request("auth.session.inspect", { accessToken: tokens.accessToken });
    return loggedIn(name, tokens, roles);
  });
}

export async function logout(call: Invocation): Promise<CommandResult> {
  const target = findTarget(call.env);
  const file = loginFile(call.env, target.config);
  const kept = file.read();
  if (kept === undefined)
    return { document: { login: null, done: false }, lines: ["Nobody is logged in."], failed: true };
  await call.reach(target, ({ client }) => end(client, kept, file));
  file.remove();
  return { document: { login: kept.login, done: true }, lines: [`${kept.login} is logged out.`] };
}

async function askLogin({ words: [given], terminal }: Invocation): Promise<string> {
  const name = given ?? (await terminal.ask?.("Login: ")) ?? "";
  if (name === "") throw new UsageFault("LOGIN is missing.");
  return name;
}

interface Secrets {
  password: string;
  /** Asked for when it is needed. */
  code(methods: readonly string[], attempt: number): Promise<string | undefined>;
}

/** @throws UsageFault where no password is given */
async function askSecrets({ terminal }: Invocation): Promise<Secrets> {
  const { askUnseen } = terminal;
  if (askUnseen !== undefined) {
    const password = await askUnseen("Password: ");
    if (password === "") throw new UsageFault("No password was given.");
    const kinds: Record<string, string> = { totp: "your authenticator app", recovery: "your recovery codes" };
    return {
      password,
      async code(methods, attempt) {
        if (attempt === codeTries) return undefined;
        const from = methods.flatMap((method) => kinds[method] ?? []).join(", or one of ");
        return askUnseen(`${attempt > 0 ? "That was not it. " : ""}A code of ${from}: `);
      },
    };
  }
  const [password = "", code] = (await terminal.input()).split(/\r?\n/);
  if (password === "")
    throw new UsageFault("Give the password on standard input, and on a second line a code where one is needed.");
  return { password, code: async (_methods, attempt) => (attempt > 0 ? undefined : code) };
}

interface Given {
  name: string;
  secrets: Secrets;
}

async function requestTokens(call: Invocation, client: AuthClient, { name, secrets }: Given): Promise<Tokens> {
  const device = { ip: null, userAgent: `authctl/${packageVersion()}`, device: `authctl on ${hostname()}` };
  const input = { login: name, password: secrets.password, client: device };
  const { tokens, challenge } = await client.request("auth.session.login", input);
  if (tokens !== null) return tokens;
  if (challenge === null) throw new Error("the fleet gave neither tokens nor a challenge");
  return answered(call, client, { name, secrets, challenge });
}

/** @throws Refusal MFA_REQUIRED where no code is given, or none would do; MFA_INVALID */
async function answered(
  { say }: Invocation,
  client: AuthClient,
  { name, secrets, challenge: { challenge, methods } }: Given & { challenge: Challenge },
): Promise<Tokens> {
  const usable = methods.filter((method) => method === "totp" || method === "recovery");
  if (methods.includes("passkey")) say("A passkey of this account cannot be used here: it needs a browser.");
  if (usable.length === 0) throw needs(name, "and authctl can use none of its factors", methods);
  for (let attempt = 0, last: Refusal | undefined; ; attempt += 1) {
    const code = (await secrets.code(usable, attempt))?.trim();
    if (!code) throw last ?? needs(name, "and no code was given", methods);
    const method = /^\d{3} ?\d{3}$/.test(code) && usable.includes("totp") ? "totp" : "recovery";
    try {
      return await client.request("auth.session.login-mfa", { challenge, method, code });
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "MFA_INVALID") throw error;
      last = error;
    }
  }
}

function needs(name: string, but: string, methods: readonly string[]): Refusal {
  const message = `${name} needs a second factor to log in, ${but}.`;
  return refuse("MFA_REQUIRED", { message, details: { methods: methods.join(" ") } });
}

/** Ends the session that this login replaces; one that is already over is no error. */
async function endBefore(client: AuthClient, accessToken: string): Promise<void> {
  await client.request("auth.session.logout", { accessToken }).catch(whereOver);
}

async function end(
  client: AuthClient,
  kept: NonNullable<ReturnType<LoginFile["read"]>>,
  file: LoginFile,
): Promise<void> {
  try {
    await client.request("auth.session.logout", { accessToken: await currentToken(client, { login: kept, file }) });
  } catch (error) {
    whereOver(error);
  }
}

function whereOver(error: unknown): void {
  if (!isOver(error)) throw error;
}

function loggedIn(
  name: string,
  { userId, sessionId, refreshExpiresAt }: Tokens,
  roles: readonly string[],
): CommandResult {
  const until = new Date(refreshExpiresAt).toISOString();
  const none = "No role counts in this session: what needs a permission will be refused.";
  return {
    document: { login: name, userId, sessionId, roles, refreshExpiresAt },
    lines: [
      `${name} (${userId}) is logged in, until ${until} or as long as it is used; roles: ${rolesText([...roles])}.`,
      ...(roles.length === 0 ? [none] : []),
    ],
  };
}
