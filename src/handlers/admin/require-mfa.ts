// Require-mfa: says whether a role counts only in sessions that were opened with a further factor. The fleet goes by it at once; an access
// token that is under way bears the role until it ends, because raising every holder's generation would make one record for each of them.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, MFA_REQUIRED, NOT_FOUND (no such role).
import { mfaRequirement, requireMfa as requireMfaOf } from "../../db/factors.ts";
import { refuse } from "../../errors.ts";
import { fact } from "../facts.ts";
import { checkReason } from "./actor.ts";
import { defineAdminHandler } from "./define.ts";

export const requireMfa = defineAdminHandler({
  topic: "auth.admin.require-mfa",
  permission: "roles.change",
  async handle({ role, required, reason }, ctx, actor) {
    checkReason(reason);
    const found = await ctx.read(mfaRequirement(role));
    if (found === null) throw refuse("NOT_FOUND", { message: "There is no such role." });
    const { without } = found;
    if (found.required === required) return ctx.commit({ facts: [] }, { role, required, without });
    const facts = [fact("MfaRequirementChanged", { role, required, reason })];
    return ctx.commit(
      { key: `role:${role}`, facts, writes: [requireMfaOf(role, required)], actor: actor.name },
      { role, required, without },
    );
  },
});
