// List-operators: all operators with their permissions and public keys. Refuses INVALID_INPUT, TOKEN_INVALID,
// TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN.

import { opened } from "../../accounts/operators.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { operatorRows } from "../../db/operators.ts";

export default defineAdminHandler({
  topic: "auth.admin.list-operators",
  permission: "operators.manage",
  needs: ["operators"],
  async handle(_request, ctx) {
    const rows = (await ctx.read(operatorRows()))?.operators ?? [];
    const operators = rows.flatMap(({ name, encrypted }) => opened(ctx, name, Buffer.from(encrypted, "base64")) ?? []);
    return {
      operators: operators.map(({ name, permissions, keys }) => ({
        ...{ name, permissions },
        keys: keys.map(({ kid, alg, addedAt }) => ({ kid, alg, addedAt })),
      })),
    };
  },
});
