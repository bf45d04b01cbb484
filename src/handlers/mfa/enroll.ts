// Enroll: begins to set up an authenticator app. Returns the secret, as text to type in and as a URI for a QR code; it
// has no effect until auth.mfa.activate proves that the app has it. Enrolling again replaces a secret that was never
// activated. Refuses what requireBearer and demandFreshLogin refuse, INVALID_INPUT (an app is active: disable it
// first).

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { totpAad } from "../../accounts/second-factors.ts";
import { defineHandler } from "../../command/define.ts";
import { base32, makeTotpSecret, totpUri } from "../../crypto/totp.ts";
import { enrollTotp } from "../../db/factors.ts";
import { lockUser } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.mfa.enroll",
  lane: "db",
  storesAnswer: true,
  needs: ["mfa"],
  async handle({ accessToken }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const { userId: id, login, generation } = bearer;
    const { totp } = await demandFreshLogin(ctx, bearer);
    if (totp)
      throw refuse("INVALID_INPUT", {
        message: "An authenticator app is active: disable it first.",
        details: { reason: "active" },
      });
    const secret = makeTotpSecret();
    const encrypted = ctx.mfa.cipher().encrypt(secret, totpAad(id));
    return ctx.commit(
      { user: { id, lock: lockUser(id, { generation }) }, events: [], writes: [enrollTotp(id, encrypted)] },
      { secret: base32(secret), uri: totpUri(secret, { issuer: ctx.settings.product, login }) },
    );
  },
});
