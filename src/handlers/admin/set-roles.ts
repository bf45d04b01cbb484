// Set-roles: gives a user exactly these roles. Access tokens issued so far are outdated; a refresh gives one with the
// new roles. Each role given or taken is checked (command/admin/rank.ts), so nobody can raise themselves; roles that
// stay count like those of any target. Refuses INVALID_INPUT (also an unknown role), TOKEN_INVALID, TOKEN_EXPIRED,
// SESSION_REVOKED, FORBIDDEN (also where an administrator takes the role from the last one), NOT_FOUND.

import { adminRole, keepAnAdmin } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { demandRank } from "../../command/admin/rank.ts";
import { event } from "../../command/events.ts";
import { replaceRoles, rolesOfAnd } from "../../db/roles.ts";
import { raiseGeneration } from "../../db/users.ts";
import { invalid } from "../../protocol/errors.ts";

const maxRoles = 64;

export default defineAdminHandler({
  topic: "auth.admin.set-roles",
  permission: "users.set-roles",
  async handle({ roles: asked, reason, target }, ctx, actor) {
    if (asked.length > maxRoles) throw invalid("roles", `must be at most ${maxRoles}`);
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    const { id, generation } = user;
    const roles = [...new Set(asked)].sort();
    const { roles: weighed = [] } = (await ctx.read(rolesOfAnd(id, roles))) ?? {};
    const unknown = roles.filter((role) => !weighed.some(({ name }) => name === role));
    if (unknown.length > 0) throw invalid("roles", `there is no role ${unknown.join(", ")}`);
    const changed = weighed.filter(({ name, held }) => held !== roles.includes(name));
    demandRank(actor, changed, "give");
    const demands = actor.userId === null || roles.includes(adminRole) ? [] : await keepAnAdmin(ctx, user);
    return ctx.commit(
      {
        user: { id, lock: raiseGeneration(id, { generation }), generation: generation + 1 },
        events: [event("RolesChanged", { roles, reason })],
        writes: [...demands, ...replaceRoles(id, roles)],
        actor: actor.name,
      },
      { userId: id, roles },
    );
  },
});
