// List-sessions: the sessions of a user that go on, as the user sees them in auth.session.list.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.
import { defineHandler } from "../define.ts";
import { sessionPage } from "../sessions.ts";
import { adminOf, targetOf } from "./actor.ts";

export const listSessions = defineHandler({
  topic: "auth.admin.list-sessions",
  lane: "db",
  once: false,
  async handle({ actorToken, target, cursor }, ctx) {
    await adminOf(ctx, actorToken, "users.read");
    const { id: userId } = await targetOf(ctx, target);
    return { userId, ...(await sessionPage(ctx, userId, { cursor, current: null })) };
  },
});
