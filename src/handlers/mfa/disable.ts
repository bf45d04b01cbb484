// Disable: removes the authenticator app. With the last factor the recovery codes are removed too; where a role
// requires a factor, the last one cannot be removed. Refuses what requireBearer and demandFreshLogin refuse (so a
// factor was shown recently), NOT_FOUND.

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { checkNotLast, factorChange } from "../../accounts/second-factors.ts";
import { defineHandler } from "../../command/define.ts";
import { deleteRecoveryCodes, deleteTotp } from "../../db/factors.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.mfa.disable",
  lane: "db",
  storesAnswer: true,
  async handle({ accessToken, endOthers }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const owner = await demandFreshLogin(ctx, bearer);
    const { totp, passkeys, strongRoles } = owner;
    if (!totp) throw refuse("NOT_FOUND", { message: "There is no authenticator app." });
    if (passkeys === 0) checkNotLast(strongRoles);
    const { userId } = bearer;
    const writes = [deleteTotp(userId), ...(passkeys === 0 ? [deleteRecoveryCodes(userId)] : [])];
    return ctx.commit(factorChange(ctx, bearer, { change: "totp-disabled", owner, endOthers, writes }), {});
  },
});
