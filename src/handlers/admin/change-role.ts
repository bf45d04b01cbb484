// Change-role: creates a role, or grants and revokes its permissions. It takes effect at once wherever a permission is
// checked; access tokens contain only role names, so they stay current. Nobody can grant or revoke a permission that
// they lack, or change a role that they could not give (command/admin/rank.ts), and the role admin keeps the
// permissions of this service. A new role belongs to nobody, so creating it requires only the permissions that it gets.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.

import { adminRole } from "../../accounts/users.ts";
import { checkReason } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { checkPermission, checkRole, isOwn } from "../../command/admin/permissions.ts";
import { demandAll, demandRank } from "../../command/admin/rank.ts";
import { event } from "../../command/events.ts";
import { changeRole as changeStored, roleByName, type StoredRole } from "../../db/roles.ts";
import { invalid, refuse } from "../../protocol/errors.ts";
import type { AdminChangeRoleRequest } from "../../protocol/generated/schemas.ts";

const mostPermissions = 256;

export default defineAdminHandler({
  topic: "auth.admin.change-role",
  permission: "roles.change",
  async handle(request, ctx, actor) {
    check(request);
    const { role, create, grant, revoke, reason } = request;
    demandAll(actor, [...grant, ...revoke]);
    const before = await ctx.read(roleByName(role));
    if (before === null && !create) throw refuse("NOT_FOUND", { message: `There is no role ${role}.` });
    if (before !== null && create) throw invalid("role", `there is a role ${role} already`);
    if (before !== null) demandRank(actor, [before], "give");
    const permissions = after(before, request);
    return ctx.commit(
      {
        key: `role:${role}`,
        events: [event("RoleChanged", { role, permissions, reason })],
        writes: changeStored({ name: role, before, grant, revoke }),
        actor: actor.name,
      },
      { role, permissions },
    );
  },
});

function check({ role, create, grant, revoke, reason }: AdminChangeRoleRequest): void {
  checkRole(role);
  checkReason(reason);
  for (const each of grant) checkPermission("grant", each);
  for (const each of revoke) checkPermission("revoke", each);
  if (!create && grant.length + revoke.length === 0) throw invalid("grant", "there is nothing to grant or to revoke");
  const both = grant.find((each) => revoke.includes(each));
  if (both !== undefined) throw invalid("revoke", `${both} stands in grant too`);
  const kept = role === adminRole ? revoke.find(isOwn) : undefined;
  if (kept !== undefined) throw invalid("revoke", `the role ${adminRole} keeps ${kept}`);
}

function after(before: StoredRole | null, { grant, revoke }: AdminChangeRoleRequest): string[] {
  const all = new Set([...(before?.permissions ?? []), ...grant].filter((each) => !revoke.includes(each)));
  if (all.size > mostPermissions) throw invalid("grant", `a role has at most ${mostPermissions} permissions`);
  return [...all].sort();
}
