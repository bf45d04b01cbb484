// Require-mfa: sets whether a role counts only in sessions with a second factor. The fleet applies it at once; an
// access token in use keeps the role until it expires, because raising every holder's generation would take a record
// for each. Setting and unsetting require what giving the role requires (command/admin/rank.ts): otherwise somebody
// could weaken the protection of users who may do more. Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED,
// SESSION_REVOKED, FORBIDDEN, MFA_REQUIRED, NOT_FOUND (no such role).

import { checkReason } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { demandRank } from "../../command/admin/rank.ts";
import { event } from "../../command/events.ts";
import { mfaRequirement, requireMfa as requireMfaOf } from "../../db/factors.ts";
import { roleByName } from "../../db/roles.ts";
import { type Refusal, refuse } from "../../protocol/errors.ts";

export default defineAdminHandler({
  topic: "auth.admin.require-mfa",
  permission: "roles.change",
  async handle({ role, required, reason }, ctx, actor) {
    checkReason(reason);
    const stored = await ctx.read(roleByName(role));
    if (stored === null) throw noSuchRole();
    demandRank(actor, [stored], "give");
    const found = await ctx.read(mfaRequirement(role));
    if (found === null) throw noSuchRole(); // deleted a moment ago
    const { without } = found;
    if (found.required === required) return ctx.commit({ events: [] }, { role, required, without });
    const events = [event("MfaRequirementChanged", { role, required, reason })];
    return ctx.commit(
      { key: `role:${role}`, events, writes: [requireMfaOf(stored, required)], actor: actor.name },
      { role, required, without },
    );
  },
});

function noSuchRole(): Refusal {
  return refuse("NOT_FOUND", { message: "There is no such role." });
}
