// Reset-mfa: removes all second factors of a user who lost them, and ends their sessions. From then on the password
// alone logs in, so verify that the user is asking; they are told by mail. A role that requires a factor has no effect
// until the user sets one up. Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN,
// MFA_REQUIRED, NOT_FOUND.

import { factorMethods } from "../../accounts/challenges.ts";
import { notice } from "../../accounts/second-factors.ts";
import { noSuchUser } from "../../accounts/users.ts";
import { checkReason, targetProfile } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { event } from "../../command/events.ts";
import { deleteFactors, demandNoFactors, factorsOf } from "../../db/factors.ts";
import { endSessionsOf } from "../../db/sessions.ts";
import { lockUser, raiseGeneration } from "../../db/users.ts";

export default defineAdminHandler({
  topic: "auth.admin.reset-mfa",
  permission: "users.reset-mfa",
  async handle({ reason, target }, ctx, actor) {
    checkReason(reason);
    const user = await targetProfile(ctx, actor, target);
    const { id, generation } = user;
    const factors = await ctx.read(factorsOf(id));
    if (factors === null) throw noSuchUser(); // deleted a moment ago
    const hadFactors = factorMethods(factors).length > 0;
    if (!factors.resettable) {
      // Under the lock: if a factor was committed meanwhile, the commit is rolled back and this runs again.
      const user = { id, lock: lockUser(id, { generation }) };
      return ctx.commit({ user, events: [], writes: [demandNoFactors(id)] }, { userId: id, hadFactors });
    }
    return ctx.commit(
      {
        user: { id, lock: raiseGeneration(id, { generation }), generation: generation + 1 },
        events: [event("MfaChanged", { change: "reset", sessionId: null })],
        writes: [deleteFactors(id), endSessionsOf(id, "mfa-reset")],
        messages: user.confirmed && hadFactors ? [notice(ctx, "mfa-reset", { id, ...factors })] : [],
        actor: actor.name,
      },
      { userId: id, hadFactors },
    );
  },
});
