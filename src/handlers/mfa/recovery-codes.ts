// Recovery-codes: returns new recovery codes; earlier ones stop working. Refuses what requireBearer and
// demandFreshLogin refuse, NOT_FOUND (the user has no second factor).

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { factorMethods } from "../../accounts/challenges.ts";
import { newRecoveryCodes, notice } from "../../accounts/second-factors.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { lockUser } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.mfa.recovery-codes",
  lane: "db",
  storesAnswer: true,
  async handle({ accessToken }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const factors = await demandFreshLogin(ctx, bearer);
    if (factorMethods(factors).length === 0) throw refuse("NOT_FOUND", { message: "There is no second factor." });
    const { userId: id, generation, claims, client } = bearer;
    const { codes, write } = newRecoveryCodes(id);
    const events = [event("MfaChanged", { change: "recovery-codes", sessionId: claims.sessionId })];
    const user = { id, lock: lockUser(id, { generation, banned: false }) };
    const messages = [notice(ctx, "recovery-codes", { id, ...factors, from: { session: client } })];
    return ctx.commit({ user, events, writes: [write], messages }, { codes });
  },
});
