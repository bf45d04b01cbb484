// Remove: removes a passkey. With the last factor the recovery codes are removed too; where a role requires a factor,
// the last one cannot be removed. Refuses what requireBearer and demandFreshLogin refuse, INVALID_INPUT, NOT_FOUND (no
// such passkey, or another user's).

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { checkNotLast, factorChange } from "../../accounts/second-factors.ts";
import { defineHandler } from "../../command/define.ts";
import { isUuid } from "../../crypto/ids.ts";
import { deleteRecoveryCodes } from "../../db/factors.ts";
import { deletePasskey, passkeyOf } from "../../db/passkeys.ts";
import { invalid, refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.passkey.remove",
  lane: "db",
  storesAnswer: true,
  async handle({ accessToken, passkeyId, endOthers }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    if (!isUuid(passkeyId)) throw invalid("passkeyId", "must be a passkey's id");
    const owner = await demandFreshLogin(ctx, bearer);
    const { totp, passkeys, strongRoles } = owner;
    const { userId } = bearer;
    if ((await ctx.read(passkeyOf(userId, passkeyId))) === null)
      throw refuse("NOT_FOUND", { message: "There is no such passkey." });
    const last = !totp && passkeys === 1;
    if (last) checkNotLast(strongRoles);
    const writes = [deletePasskey(userId, passkeyId), ...(last ? [deleteRecoveryCodes(userId)] : [])];
    return ctx.commit(factorChange(ctx, bearer, { change: "passkey-removed", owner, endOthers, writes }), {});
  },
});
