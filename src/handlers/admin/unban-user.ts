// Unban-user: lifts a ban. Sessions that the ban ended stay ended. Without a ban nothing changes, and the answer says
// so. Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.

import { unban } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";

export default defineAdminHandler({
  topic: "auth.admin.unban-user",
  permission: "users.ban",
  async handle({ reason, target }, ctx, actor) {
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    const { id: userId, banned: wasBanned } = user;
    const change = wasBanned ? unban(user, { actor: actor.name, reason }) : { events: [] };
    return ctx.commit(change, { userId, wasBanned });
  },
});
