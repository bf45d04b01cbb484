// What follows a right password: a session, or, for a user with a second factor, only a challenge. The challenge
// belongs to this login with its `rotating` and `client`, and any change of the user's rights, password or factors ends
// it.

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
  /** Further writes of the commit: the attempt's refund, and the password's hash where its cost changed. */
  writes: Write[];
  /**
   * Remembers the device as one of the account's owner. Not used where a second factor is required: whoever knows the
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
  const user = { id, lock: lockUser(id, { generation, banned: false }) };
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
