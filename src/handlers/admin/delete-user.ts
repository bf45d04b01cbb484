// Delete-user: deletes an account for good and ends its sessions. Its e-mail address is free at once, its login after
// AUTH_LOGIN_QUARANTINE. Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN (also for the
// last administrator, by an administrator), NOT_FOUND.

import { erase, keepAnAdmin } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";

export default defineAdminHandler({
  topic: "auth.admin.delete-user",
  permission: "users.delete",
  needs: ["quarantinedLogins"],
  async handle({ reason, target }, ctx, actor) {
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    const demands = actor.userId === null ? [] : await keepAnAdmin(ctx, user);
    return ctx.commit(erase(ctx, user, { actor: actor.name, reason, demands }), { userId: user.id });
  },
});
