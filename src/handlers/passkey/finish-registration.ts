// Finish-registration: stores the passkey that answers the challenge of begin-registration. From then on logins require
// a second factor. The session has then shown one; its access token needs a refresh. Refuses what requireBearer and
// demandFreshLogin refuse, INVALID_INPUT (not a credential, already registered, label too long), TOKEN_INVALID,
// TOKEN_EXPIRED, MFA_INVALID (it does not answer this challenge, or is for another service).

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { answered, checkChallenge, presentedChallenge } from "../../accounts/challenges.ts";
import { checkLabel } from "../../accounts/input.ts";
import { maxPasskeys } from "../../accounts/passkeys.ts";
import { factorChange, shownIn } from "../../accounts/second-factors.ts";
import { defineHandler } from "../../command/define.ts";
import { judgeRegistration, parseCredential } from "../../crypto/passkeys.ts";
import { challengeForRegistration } from "../../db/challenges.ts";
import { insertPasskey } from "../../db/passkeys.ts";
import { invalid, refuse } from "../../protocol/errors.ts";

const longestLabel = 64;

export default defineHandler({
  topic: "auth.passkey.finish-registration",
  lane: "db",
  storesAnswer: true,
  async handle({ accessToken, challenge, response, label: typedLabel, endOthers }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const presented = presentedChallenge(challenge);
    const credential = parseCredential(response);
    if (credential === undefined) throw invalid("response", "must be the JSON of a credential");
    const label = checkLabel("label", typedLabel, longestLabel);
    const owner = await demandFreshLogin(ctx, bearer);
    const { userId, claims } = bearer;
    const found = checkChallenge(await ctx.read(challengeForRegistration(presented.id, credential.id)), presented);
    if (found.challengeUser !== userId || found.sessionId !== claims.sessionId) throw refuse("TOKEN_INVALID");
    if (found.credentialTaken) throw invalid("response", "this passkey is registered already");
    if (found.passkeys >= maxPasskeys)
      throw invalid("response", `more than ${maxPasskeys} passkeys cannot be registered`);
    const { secret } = presented;
    const registered = await judgeRegistration(credential, { party: ctx.settings.party, secret });
    if (registered === undefined) throw refuse("MFA_INVALID");
    const passkeyId = ctx.uuid();
    const writes = [
      insertPasskey({ ...registered, id: passkeyId, userId, label }),
      answered(presented.id),
      shownIn(bearer, registered.synced ? "swk" : "hwk"),
    ];
    return ctx.commit(factorChange(ctx, bearer, { change: "passkey-added", owner, endOthers, writes }), { passkeyId });
  },
});
