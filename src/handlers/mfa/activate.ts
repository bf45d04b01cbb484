// Activate: makes the enrolled authenticator app a factor, with a code from it, and returns recovery codes. The session
// has then shown a second factor; its access token needs a refresh. Refuses what requireBearer and demandFreshLogin
// refuse, INVALID_INPUT, NOT_FOUND (nothing enrolled, or already active), MFA_INVALID. A wrong code is not counted: the
// caller has the secret itself.

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { factorChange, newRecoveryCodes, shownIn, totpAad } from "../../accounts/second-factors.ts";
import { defineHandler } from "../../command/define.ts";
import { judgeTotp } from "../../crypto/totp.ts";
import { activateTotp, totpOf } from "../../db/factors.ts";
import { invalid, refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.mfa.activate",
  lane: "db",
  storesAnswer: true,
  needs: ["mfa"],
  async handle({ accessToken, code, endOthers }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    if (code === "" || code.length > 64) throw invalid("code", "must have 1 to 64 characters");
    const owner = await demandFreshLogin(ctx, bearer);
    const { userId } = bearer;
    const found = await ctx.read(totpOf(userId));
    if (found === null || found.active)
      throw refuse("NOT_FOUND", { message: "No authenticator app waits to be activated." });
    const secret = ctx.mfa.cipher().decrypt(found.totpSecret, totpAad(userId));
    const judgement = judgeTotp(secret, code, { now: ctx.now(), lastStep: found.totpStep });
    if (typeof judgement === "string") throw refuse("MFA_INVALID");
    const { codes, write } = newRecoveryCodes(userId);
    const activated = activateTotp(userId, found.totpSecret, judgement.step);
    const change = factorChange(ctx, bearer, {
      change: "totp-activated",
      owner,
      endOthers,
      writes: [activated, write, shownIn(bearer, "otp")],
    });
    return ctx.commit(change, { codes });
  },
});
