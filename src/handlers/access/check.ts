// Check: whether an access token's user has a permission right now, by the roles that the session carries. A permission
// that no role has is not allowed. Refuses INVALID_INPUT (not the form of a permission), and what requireBearer
// refuses.

import { requireBearer } from "../../accounts/bearer.ts";
import { checkPermission } from "../../command/admin/permissions.ts";
import { defineHandler } from "../../command/define.ts";
import { isPermitted } from "../../db/roles.ts";

export default defineHandler({
  topic: "auth.access.check",
  lane: "cheap",
  storesAnswer: false,
  async handle({ accessToken, permission }, ctx) {
    checkPermission("permission", permission);
    const { roles } = await requireBearer(ctx, accessToken);
    return { allowed: (await ctx.read(isPermitted(roles, permission)))?.allowed ?? false };
  },
});
