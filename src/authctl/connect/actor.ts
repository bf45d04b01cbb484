// The actor of a command: the administrator who did `authctl login`, or, with --as NAME or where nobody is logged in,
// the operator whose key AUTH_OPERATOR_KEY_FILE names. An administrator's access token is checked with the fleet each
// time, and refreshed where it no longer counts, so that a change of their own roles or factors does not fail their
// next command.
import type { AuthClient } from "../../client/types.ts";
import { systemClock } from "../../lib/clock.ts";
import { Refusal, refuse } from "../../protocol/errors.ts";
import type { Invocation } from "../command.ts";
import { type Login, type LoginFile, loginFile } from "./logins.ts";
import { asOption, operatorSigner } from "./operator.ts";
import { type FleetTarget, findTarget } from "./target.ts";

/** Returns a token that counts now. @throws Refusal where the login is over */
type ActorToken = (client: AuthClient) => Promise<string>;

/** What must be left of an access token's life, so that it lasts for the command, ms. */
const leastLeftMs = 30_000;

export interface Acting {
  target: FleetTarget;
  actor: ActorToken;
}

/** @throws Unreachable, ConfigFault, UsageFault */
export async function actingFor(call: Invocation): Promise<Acting> {
  const named = asOption(call);
  const target = findTarget(call.env);
  const file = loginFile(call.env, target.config);
  const login = named === undefined ? file.read() : undefined;
  if (login !== undefined)
    return { target, actor: (client) => currentToken(client, { login: file.read() ?? login, file }) };
  const sign = await operatorSigner(target, call);
  return { target, actor: () => sign() };
}

export interface KeptLogin {
  login: Login;
  file: LoginFile;
}

/** @throws Refusal SESSION_REVOKED and the like where the login is over: its file is removed then */
export async function currentToken(client: AuthClient, { login, file }: KeptLogin): Promise<string> {
  if (login.accessExpiresAt - systemClock.now() > leastLeftMs && (await counts(client, login.accessToken)))
    return login.accessToken;
  try {
    const tokens = await client.request("auth.session.refresh", { refreshToken: login.refreshToken });
    file.write({ login: login.login, ...tokens });
    return tokens.accessToken;
  } catch (error) {
    throw isOver(error) ? over(error, { login, file }) : error;
  }
}

async function counts(client: AuthClient, accessToken: string): Promise<boolean> {
  try {
    await client.request("auth.session.inspect", { accessToken });
    return true;
  } catch (error) {
    if (isOver(error)) return false; // or outdated: the refresh tells
    throw error;
  }
}

/** Whether the fleet says that a token no longer counts. */
export function isOver(error: unknown): error is Refusal {
  const codes = ["TOKEN_INVALID", "TOKEN_EXPIRED", "SESSION_REVOKED", "REFRESH_REUSED"];
  return error instanceof Refusal && codes.includes(error.code);
}

function over({ code, message }: Refusal, { login, file }: KeptLogin): Refusal {
  file.remove();
  const again = `The login of ${login.login} is over: ${message} Do authctl login again, or say --as NAME to act as an operator.`;
  return refuse(code, { message: again });
}
