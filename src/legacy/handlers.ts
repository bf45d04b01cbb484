// Handles what the platform's other services report about accounts, as JSON: delete, check_verified, admin_delete_user,
// admin_ban_user. Each record takes effect once, however often it is delivered. For a user who does not exist (or a
// decoy) nothing happens. The last administrator cannot be deleted or banned from here, because nobody could undo it
// and these records name no actor: the record becomes a dead letter with that reason (keepAnAdmin).

import { type AccountAction, ban, erase, eraseUnconfirmed, keepAnAdmin, unban } from "../accounts/users.ts";
import { defineLegacyHandler, type LegacyContext, type LegacyHandler } from "../command/define.ts";
import { type Profile, profileById } from "../db/users.ts";

async function requireAccount(ctx: LegacyContext, id: number): Promise<Profile | null> {
  const found = await ctx.read(profileById(id));
  return found?.decoy === true ? null : found;
}

/** @throws Refusal FORBIDDEN, reason last-admin */
async function eraseAccount(ctx: LegacyContext, id: number, action: AccountAction): Promise<void> {
  const user = await requireAccount(ctx, id);
  if (user !== null) await ctx.commit(erase(ctx, user, { ...action, demands: await keepAnAdmin(ctx, user) }), {});
}

/** The profile was deleted: delete the account too. */
const profileDeleted = defineLegacyHandler({
  topic: "delete",
  handle: ({ id }, ctx) => eraseAccount(ctx, id, { reason: "profile deleted", actor: "service:user" }),
});

/** An administrator deleted the account. */
const adminDeleted = defineLegacyHandler({
  topic: "admin_delete_user",
  handle: ({ id }, ctx) => eraseAccount(ctx, id, { reason: "deleted by an administrator", actor: "service:admin" }),
});

/** The time for confirming has passed: delete an account that is still unconfirmed. */
const checkVerified = defineLegacyHandler({
  topic: "check_verified",
  async handle({ id }, ctx) {
    const user = await requireAccount(ctx, id);
    if (user === null || user.confirmed) return;
    await ctx.commit(eraseUnconfirmed(user, { reason: "not confirmed in time", actor: "service:task" }), {});
  },
});

/** An administrator bans the account, or lifts its ban. @throws Refusal FORBIDDEN, reason last-admin */
const adminBanToggled = defineLegacyHandler({
  topic: "admin_ban_user",
  async handle({ id }, ctx) {
    const user = await requireAccount(ctx, id);
    if (user === null) return;
    const action = { reason: "toggled by an administrator", actor: "service:admin" };
    if (user.banned) await ctx.commit(unban(user, action), {});
    else await ctx.commit(ban(user, null, { ...action, demands: await keepAnAdmin(ctx, user) }), {});
  },
});

export const legacyHandlers: LegacyHandler[] = [profileDeleted, adminDeleted, checkVerified, adminBanToggled];
