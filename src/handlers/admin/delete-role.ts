// Delete-role: deletes a role that no user has. Its users must lose it first, one by one, so that each gets an event
// and their access tokens are outdated. It requires what giving the role requires (command/admin/rank.ts). Refuses
// INVALID_INPUT (also for a role that a user has, and for admin), TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED,
// FORBIDDEN, NOT_FOUND.

import { adminRole } from "../../accounts/users.ts";
import { checkReason } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { checkRole } from "../../command/admin/permissions.ts";
import { demandRank } from "../../command/admin/rank.ts";
import { event } from "../../command/events.ts";
import { deleteRole as deleteStored, roleByName } from "../../db/roles.ts";
import { invalid, refuse } from "../../protocol/errors.ts";

export default defineAdminHandler({
  topic: "auth.admin.delete-role",
  permission: "roles.change",
  async handle({ role, reason }, ctx, actor) {
    checkRole(role);
    checkReason(reason);
    const stored = await ctx.read(roleByName(role));
    if (stored === null) throw refuse("NOT_FOUND", { message: `There is no role ${role}.` });
    if (role === adminRole) throw invalid("role", `${adminRole} stays`);
    demandRank(actor, [stored], "give");
    if (stored.held) throw invalid("role", `somebody has the role ${role}`);
    return ctx.commit(
      {
        key: `role:${role}`,
        events: [event("RoleDeleted", { role, reason })],
        writes: [deleteStored(stored)],
        actor: actor.name,
      },
      { role },
    );
  },
});
