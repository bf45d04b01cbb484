// Unlock-user: clears the failed attempts at a user's password and at their authenticator app, so that they need not
// wait. If there are none, the answer says so. Recovery codes and passkeys have no wait: their attempts are counted per
// challenge. Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.

import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { event } from "../../command/events.ts";
import { failedAttempts, forgetAttempts } from "../../db/attempts.ts";
import { forgetTotpFailures } from "../../db/factors.ts";
import { lockUser } from "../../db/users.ts";

export default defineAdminHandler({
  topic: "auth.admin.unlock-user",
  permission: "users.unlock",
  async handle({ reason, target }, ctx, actor) {
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    const { id } = user;
    const failed = (await ctx.read(failedAttempts(id)))?.failed ?? 0;
    const result = { userId: id, failedAttempts: failed };
    if (failed === 0) return ctx.commit({ events: [] }, result);
    return ctx.commit(
      {
        user: { id, lock: lockUser(id, {}) },
        events: [event("UserUnlocked", { reason })],
        writes: [forgetAttempts(id), forgetTotpFailures(id)],
        actor: actor.name,
      },
      result,
    );
  },
});
