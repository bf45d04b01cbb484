// Logout: ends the session of an access token, or all sessions of its user. Ending all raises the user's generation, so that every
// access token from before stops counting everywhere.
// Refuses what bearerOf refuses: logging out of a session that is over is SESSION_REVOKED.
import { endSession, endSessionsOf } from "../../db/sessions.ts";
import { lockUser, raiseGeneration } from "../../db/users.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { bearerOf } from "./access.ts";

export const logout = defineHandler({
  topic: "auth.session.logout",
  lane: "db",
  once: true,
  async handle({ accessToken, everywhere }, ctx) {
    const { claims, userId: id, generation } = await bearerOf(ctx, accessToken);
    const { sessionId } = claims;
    const user = everywhere
      ? { id, subject: raiseGeneration(id, { generation }), generation: generation + 1 }
      : { id, subject: lockUser(id, {}) };
    return ctx.commit(
      {
        user,
        facts: [fact("LoggedOut", { sessionId, everywhere })],
        writes: [everywhere ? endSessionsOf(id, "logout-everywhere") : endSession(sessionId, "logout")],
      },
      {},
    );
  },
});
