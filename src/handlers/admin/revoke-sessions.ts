// Revoke-sessions: ends all sessions of a user, or one of them; the user may log in again. Ending all raises the user's
// generation, which revokes every access token in use with one record. Refuses INVALID_INPUT, TOKEN_INVALID,
// TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND (also where the user has no such open session).

import { requireOpenSession } from "../../accounts/sessions.ts";
import { type Actor, checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import type { Change } from "../../command/context.ts";
import { event } from "../../command/events.ts";
import { voidLinks } from "../../db/one-time-tokens.ts";
import { countSessions, endSession, endSessionsOf } from "../../db/sessions.ts";
import { lockUser, type Profile, raiseGeneration } from "../../db/users.ts";

export default defineAdminHandler({
  topic: "auth.admin.revoke-sessions",
  permission: "sessions.revoke",
  async handle({ sessionId, reason, target }, ctx, actor) {
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    const acting = { actor, user };
    const userId = user.id;
    if (sessionId !== null) {
      await requireOpenSession(ctx, userId, sessionId);
      return ctx.commit(one(acting, sessionId, reason), { userId, ended: 1 });
    }
    const count = await ctx.read(countSessions(userId, ctx.settings.refreshIdleMs));
    return ctx.commit(all(acting, reason), { userId, ended: count?.sessions ?? 0 });
  },
});

interface Acting {
  actor: Actor;
  user: Profile;
}

function one({ actor, user: { id } }: Acting, sessionId: string, reason: string): Change {
  return {
    user: { id, lock: lockUser(id, {}) },
    events: [event("SessionsRevoked", { sessionIds: [sessionId], kept: null, cause: "admin", reason })],
    writes: [endSession(sessionId, "admin"), voidLinks(id, { askedIn: sessionId })],
    actor: actor.name,
  };
}

function all({ actor, user: { id, generation } }: Acting, reason: string): Change {
  return {
    user: { id, lock: raiseGeneration(id, { generation }), generation: generation + 1 },
    events: [event("SessionsRevoked", { sessionIds: [], kept: null, cause: "admin", reason })],
    writes: [endSessionsOf(id, "admin")],
    actor: actor.name,
  };
}
