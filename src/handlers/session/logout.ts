// Logout: ends the session of an access token, or all sessions of its user. Ending all raises the user's generation,
// which revokes every access token issued so far. A genuine token suffices to end its own session, even if the token
// has expired, the session is over or the user is gone: no session must stay open because logging out came late or
// twice. Ending all sessions requires a valid token. Refuses INVALID_INPUT and TOKEN_INVALID (forged, or signed by a
// key that the fleet no longer has); with `everywhere`, what requireBearer refuses.

import { requireBearer } from "../../accounts/bearer.ts";
import { checkToken } from "../../accounts/input.ts";
import type { Context } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { endSession, endSessionsOf, sessionOfToken } from "../../db/sessions.ts";
import { lockUser, raiseGeneration } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.session.logout",
  lane: "db",
  storesAnswer: true,
  handle: ({ accessToken, everywhere }, ctx) =>
    everywhere ? endAll(ctx, accessToken) : endOwnSession(ctx, accessToken),
});

async function endAll(ctx: Context, accessToken: string): Promise<object> {
  const { claims, userId: id, generation } = await requireBearer(ctx, accessToken);
  return ctx.commit(
    {
      user: { id, lock: raiseGeneration(id, { generation }), generation: generation + 1 },
      events: [event("LoggedOut", { sessionId: claims.sessionId, everywhere: true })],
      writes: [endSessionsOf(id, "logout-everywhere")],
    },
    {},
  );
}

/** Writes nothing, and no event, where the session is over already. */
async function endOwnSession(ctx: Context, accessToken: string): Promise<object> {
  checkToken("accessToken", accessToken);
  const claims = await ctx.tokens.verifyGenuine(accessToken);
  const session = await ctx.read(sessionOfToken(claims));
  if (session === null) return {}; // its row was deleted long after its end
  const { sessionId } = claims;
  const { userId: id, ended, keyKnown } = session;
  if (!keyKnown || (id !== null && id !== claims.userId)) throw refuse("TOKEN_INVALID");
  if (ended) return {};
  const writes = [endSession(sessionId, "logout")];
  if (id === null) return ctx.commit({ events: [], writes }, {});
  const events = [event("LoggedOut", { sessionId, everywhere: false })];
  return ctx.commit({ user: { id, lock: lockUser(id, {}) }, events, writes }, {});
}
