// What the platform's other services say about accounts, as JSON: delete, check_verified, admin_delete_user, admin_ban_user.
// Each record works once, however often it is delivered. A user who is gone, or was never there, changes nothing and stops nothing.
import { endSessionsOf } from "../../db/sessions.ts";
import { banUser, deleteUser, profileById, unbanUser } from "../../db/users.ts";
import type { Context } from "../context.ts";
import { defineLegacyHandler } from "../define.ts";
import { fact } from "../facts.ts";

async function erase(ctx: Context, id: number, { reason, actor }: { reason: string; actor: string }): Promise<void> {
  const user = await ctx.read(profileById(id));
  if (user === null) return;
  const facts = [fact("UserDeleted", { reason })];
  await ctx.commit(
    { user: { id, subject: deleteUser(id, {}) }, facts, writes: [endSessionsOf(id, "deleted")], actor },
    {},
  );
}

/** The profile is gone: the account goes too. */
export const profileDeleted = defineLegacyHandler({
  topic: "delete",
  handle: ({ id }, ctx) => erase(ctx, id, { reason: "profile deleted", actor: "service:user" }),
});

/** An administrator deleted the account. */
export const adminDeleted = defineLegacyHandler({
  topic: "admin_delete_user",
  handle: ({ id }, ctx) => erase(ctx, id, { reason: "deleted by an administrator", actor: "service:admin" }),
});

/** The time for confirming is over: an account that is still unconfirmed goes. */
export const checkVerified = defineLegacyHandler({
  topic: "check_verified",
  async handle({ id }, ctx) {
    const user = await ctx.read(profileById(id));
    if (user === null || user.confirmed) return;
    const facts = [fact("UserDeleted", { reason: "not confirmed in time" })];
    await ctx.commit({ user: { id, subject: deleteUser(id, { confirmed: false }) }, facts, actor: "service:task" }, {});
  },
});

/** An administrator bans the account, or lifts its ban. */
export const adminBanToggled = defineLegacyHandler({
  topic: "admin_ban_user",
  async handle({ id }, ctx) {
    const user = await ctx.read(profileById(id));
    if (user === null) return;
    const actor = "service:admin";
    const reason = "toggled by an administrator";
    if (user.banned) {
      await ctx.commit({ user: { id, subject: unbanUser(id) }, facts: [fact("UserUnbanned", { reason })], actor }, {});
    } else {
      const writes = [endSessionsOf(id, "banned")];
      await ctx.commit(
        { user: { id, subject: banUser(id) }, facts: [fact("UserBanned", { reason })], writes, actor },
        {},
      );
    }
  },
});
