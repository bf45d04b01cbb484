// List-roles: all roles with their permissions. Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED,
// FORBIDDEN.

import { defineAdminHandler } from "../../command/admin/define.ts";
import { allRoles } from "../../db/roles.ts";

export default defineAdminHandler({
  topic: "auth.admin.list-roles",
  permission: "roles.read",
  async handle(_request, ctx) {
    return { roles: (await ctx.read(allRoles()))?.roles ?? [] };
  },
});
