// Unban-user: lifts a ban. Sessions that the ban ended stay over. Without a ban nothing changes, and the answer says so.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.
import { unban } from "../accounts.ts";
import { defineHandler } from "../define.ts";
import { actingOn, checkReason } from "./actor.ts";

export const unbanUser = defineHandler({
  topic: "auth.admin.unban-user",
  lane: "db",
  once: true,
  async handle({ reason, ...whom }, ctx) {
    checkReason(reason);
    const { actor, user } = await actingOn(ctx, whom, "users.ban");
    const { id: userId, banned: wasBanned } = user;
    const change = wasBanned ? unban(user, { actor: actor.name, reason }) : { facts: [] };
    return ctx.commit(change, { userId, wasBanned });
  },
});
