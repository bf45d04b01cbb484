// Ban-user: ends all sessions of a user and lets nobody log in to the account, until the ban's end if it has one, else
// until it is lifted. For a user who is banned already the new end and reason count.
// Refuses INVALID_INPUT (also an end that is past), TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN (also of
// the last administrator, by an administrator), NOT_FOUND.

import { ban, keepAnAdmin } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { invalid } from "../../protocol/errors.ts";

/** The last millisecond that JavaScript and PostgreSQL both know, year 275760: an end beyond it is a mistake. */
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
