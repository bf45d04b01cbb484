// Delete: the owner of an account erases it, with the password. All sessions end, the e-mail address is free at once
// and the login after AUTH_LOGIN_QUARANTINE, and the personal data in the audit becomes unreadable (db/personal-data.ts
// lists how each kind is deleted). Refuses what requireBearer and demandFactor refuse, INVALID_INPUT,
// INVALID_CREDENTIALS (counted, as in a change of the password), THROTTLED, FORBIDDEN (the last administrator).

import { demandFactor, requireBearer } from "../../accounts/bearer.ts";
import { checkTyped } from "../../accounts/input.ts";
import { erase, keepAnAdmin } from "../../accounts/users.ts";
import { attemptInSession } from "../../command/attempts.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { lockUser, passwordOf } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.account.delete",
  lane: "hash",
  storesAnswer: true,
  needs: ["attempts", "quarantinedLogins", "passwords"],
  attempt: async ({ accessToken }, ctx) => attemptInSession(await ctx.tokens.verifyAccess(accessToken)),
  async handle({ accessToken, password }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const { claims, userId: id, login, generation, roles } = bearer;
    checkTyped("password", password);
    await demandFactor(ctx, bearer);
    const { row } = await ctx.attempts.reserve(attemptInSession(claims), passwordOf(id));
    const { ok } = await ctx.passwords.verify(password, row?.hash);
    if (!ok) {
      const events = [event("PasswordRefused", { sessionId: claims.sessionId })];
      return ctx.commitRefusal({ user: { id, lock: lockUser(id, {}) }, events }, refuse("INVALID_CREDENTIALS"));
    }
    const demands = await keepAnAdmin(ctx, { id, roles, banned: false, confirmed: true }); // requireBearer has checked both
    const user = { id, generation, login, confirmed: true };
    return ctx.commit(erase(ctx, user, { actor: `user:${id}`, reason: "deleted by its owner", demands }), {});
  },
});
