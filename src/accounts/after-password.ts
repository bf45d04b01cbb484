// What follows a right password: the session, or where the user has a second factor a challenge and nothing else. The
// challenge is for this login with its `rotating` and `client`, and ends with any change of the user's rights, password
// or factors.

import type { Context } from "../command/context.ts";
import { event } from "../command/events.ts";
import type { Write } from "../db/statements.ts";
import { type AccountWithPassword, lockUser } from "../db/users.ts";
import type { SessionLoginRequest, SessionLoginResult } from "../protocol/generated/schemas.ts";
import { normalize } from "../protocol/record-key.ts";
import { factorMethods, newChallenge } from "./challenges.ts";
import { openSession } from "./sessions.ts";

export interface RightPassword {
  request: SessionLoginRequest;
  /** What else is to be written: the attempt's refund, the password's hash at another cost. */
  writes: Write[];
  /**
   * Notes the device as one that the owner of the account uses. Not where a second factor is asked for: whoever has the
   * password may not be the owner.
   */
  remember: Write[];
}

export async function afterPassword(
  ctx: Context<"sessions">,
  account: AccountWithPassword,
  { request, writes, remember }: RightPassword,
): Promise<SessionLoginResult> {
  const { id, login, generation } = account;
  const { rotating, client } = request;
  const deviceKey = normalize(request.login);
  const user = { id, subject: lockUser(id, { generation, banned: false }) };
  const methods = factorMethods(account);
  if (methods.length > 0) {
    const amr = ["pwd"];
    const byAddress = deviceKey !== normalize(login);
    const given = { purpose: "login-mfa", userId: id, generation, rotating, client, amr, byAddress } as const;
    const { token, write } = newChallenge(ctx, given);
    const events = [event("LoginChallenged", { login, methods, client })];
    return ctx.commit(
      { user, events, writes: [write, ...writes] },
      { tokens: null, challenge: { challenge: token, methods } },
    );
  }
  const session = await openSession(ctx, account, { rotating, client, amr: ["pwd"], deviceKey });
  const { sessionId } = session.tokens;
  return ctx.commit(
    {
      user,
      events: [event("LoggedIn", { login, sessionId, method: "password", client })],
      writes: [session.write, ...remember, ...writes],
    },
    { tokens: session.tokens, challenge: null },
  );
}
