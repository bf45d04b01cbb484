// Delete-user: the account is gone for ever, its sessions are over, its login and e-mail address are free.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.
import { erase } from "../accounts.ts";
import { defineHandler } from "../define.ts";
import { adminOf, checkReason, targetOf } from "./actor.ts";

export const deleteUser = defineHandler({
  topic: "auth.admin.delete-user",
  lane: "db",
  once: true,
  async handle({ actorToken, target, reason }, ctx) {
    checkReason(reason);
    const actor = await adminOf(ctx, actorToken);
    const user = await targetOf(ctx, target);
    return ctx.commit(erase(user, { actor, reason }), { userId: user.id });
  },
});
