// Get-user: shows one user to an administrator or operator.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.

import { adminRole } from "../../accounts/users.ts";
import { requireTarget } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { adminBeside } from "../../db/roles.ts";
import { countSessions } from "../../db/sessions.ts";

export default defineAdminHandler({
  topic: "auth.admin.get-user",
  permission: "users.read",
  async handle({ target }, ctx) {
    const {
      id: userId,
      confirmed: isVerified,
      banned,
      generation: _,
      decoy: _decoy,
      ...shown
    } = await requireTarget(ctx, target);
    const count = await ctx.read(countSessions(userId, ctx.settings.refreshIdleMs));
    const isAdmin = shown.roles.includes(adminRole) && isVerified && !banned;
    const lastAdmin = isAdmin && (await ctx.read(adminBeside(userId)))?.beside === false;
    return { ...shown, userId, isActive: !banned, isVerified, sessions: count?.sessions ?? 0, lastAdmin };
  },
});
