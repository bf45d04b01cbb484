// Ban-user: ends all sessions of a user and prevents new ones, until the ban's end if it has one, else until it is
// lifted. For a banned user the new end and reason replace the old ones. Refuses INVALID_INPUT (also an end in the
// past), TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN (also for the last administrator, by an
// administrator), NOT_FOUND.

import { ban, keepAnAdmin } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { invalid } from "../../protocol/errors.ts";

/** The last millisecond that both JavaScript and PostgreSQL can represent, year 275760. */
const latest = 8.64e15;

export default defineAdminHandler({
  topic: "auth.admin.ban-user",
  permission: "users.ban",
  async handle({ reason, until, target }, ctx, actor) {
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    if (until !== null && (until <= ctx.now() || until > latest)) throw invalid("until", "must be a time to come");
    const demands = actor.userId === null ? [] : await keepAnAdmin(ctx, user);
    return ctx.commit(ban(user, until, { actor: actor.name, reason, demands }), { userId: user.id, until });
  },
});
