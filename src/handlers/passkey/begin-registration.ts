// Begin-registration: returns the options for navigator.credentials.create and the challenge to send back with its
// result. Both are for this session only. Refuses what requireBearer and demandFreshLogin refuse, INVALID_INPUT (the
// user has the maximum number of passkeys).

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { newChallenge } from "../../accounts/challenges.ts";
import { maxPasskeys } from "../../accounts/passkeys.ts";
import { defineHandler } from "../../command/define.ts";
import { registrationOptions, userHandle } from "../../crypto/passkeys.ts";
import { credentialsOfUser } from "../../db/passkeys.ts";
import { lockUser } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.passkey.begin-registration",
  lane: "db",
  storesAnswer: true,
  needs: ["passkeys"],
  async handle({ accessToken }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const { passkeys } = await demandFreshLogin(ctx, bearer);
    const { userId: id, login, generation, claims } = bearer;
    if (passkeys >= maxPasskeys)
      throw refuse("INVALID_INPUT", { message: `More than ${maxPasskeys} passkeys cannot be registered.` });
    const { credentials: known } = (await ctx.read(credentialsOfUser(id))) ?? { credentials: [] };
    const { sessionId } = claims;
    const challenge = newChallenge(ctx, { purpose: "passkey-registration", userId: id, generation, sessionId });
    const options = await registrationOptions({
      party: ctx.settings.party,
      secret: challenge.secret,
      timeoutMs: ctx.settings.challengeTtlMs,
      user: { handle: userHandle(ctx.passkeys.handleKey(), id), login },
      known,
    });
    const user = { id, lock: lockUser(id, { generation, banned: false }) };
    return ctx.commit({ user, events: [], writes: [challenge.write] }, { options, challenge: challenge.token });
  },
});
