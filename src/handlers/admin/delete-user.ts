// Delete-user: the account is gone for ever, its sessions are over and its e-mail address is free; its login is after
// AUTH_LOGIN_QUARANTINE. Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN (also of the
// last administrator, by an administrator), NOT_FOUND.

import { erase, keepAnAdmin } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";

export default defineAdminHandler({
  topic: "auth.admin.delete-user",
  permission: "users.delete",
  needs: ["givenUpLogins"],
  async handle({ reason, target }, ctx, actor) {
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    const demands = actor.userId === null ? [] : await keepAnAdmin(ctx, user);
    return ctx.commit(erase(ctx, user, { actor: actor.name, reason, demands }), { userId: user.id });
  },
});
