// Export-user: the document of auth.account.export, for a user who requests it by letter or mail (GDPR, articles 15 and
// 20). It contains everything about the user, so it requires a permission of its own and a reason, is refused for a
// user who may do more than the actor, and is an event of the user. Refuses INVALID_INPUT (also without a reason),
// TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, MFA_REQUIRED, NOT_FOUND, THROTTLED (less than ten minutes
// after the last export, whoever made it).

import { exportData } from "../../accounts/data-export.ts";
import { noSuchUser } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { event } from "../../command/events.ts";
import { invalid } from "../../protocol/errors.ts";

export default defineAdminHandler({
  topic: "auth.admin.export-user",
  permission: "users.export",
  needs: ["personalData"],
  async handle({ reason, target }, ctx, actor) {
    checkReason(reason);
    if (reason.trim() === "") throw invalid("reason", "must say why, for the audit");
    const { id: userId } = await targetProfile(ctx, actor, target);
    const copy = await exportData(ctx, userId);
    if (copy === null) throw noSuchUser(); // deleted a moment ago
    const { document, user } = copy;
    const events = [event("DataExported", { sessionId: "", reason })];
    return ctx.commit({ user, events, actor: actor.name }, { userId, document });
  },
});
