// List-sessions: the open sessions of a user, as the user sees them in auth.session.list. Refuses INVALID_INPUT,
// TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.

import { sessionPage } from "../../accounts/sessions.ts";
import { requireTarget } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";

export default defineAdminHandler({
  topic: "auth.admin.list-sessions",
  permission: "users.read",
  async handle({ target, cursor }, ctx) {
    const { id: userId } = await requireTarget(ctx, target);
    return { userId, ...(await sessionPage(ctx, userId, { cursor, current: null })) };
  },
});
