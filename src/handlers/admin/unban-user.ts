// Unban-user: lifts a ban. Sessions that the ban ended stay over. Without a ban nothing changes, and the answer says so.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.
import { unban } from "../accounts.ts";
import { defineHandler } from "../define.ts";
import { adminOf, checkReason, targetOf } from "./actor.ts";

export const unbanUser = defineHandler({
  topic: "auth.admin.unban-user",
  lane: "db",
  once: true,
  async handle({ actorToken, target, reason }, ctx) {
    checkReason(reason);
    const actor = await adminOf(ctx, actorToken);
    const user = await targetOf(ctx, target);
    const { id: userId, banned: wasBanned } = user;
    return ctx.commit(wasBanned ? unban(user, { actor, reason }) : { facts: [] }, { userId, wasBanned });
  },
});
