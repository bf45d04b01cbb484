// Delete-user: the account is gone for ever, its sessions are over, its login and e-mail address are free.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN (also of the last administrator, by an
// administrator), NOT_FOUND.
import { erase, keepAnAdmin } from "../accounts.ts";
import { defineHandler } from "../define.ts";
import { actingOn, checkReason } from "./actor.ts";

export const deleteUser = defineHandler({
  topic: "auth.admin.delete-user",
  lane: "db",
  once: true,
  async handle({ reason, ...whom }, ctx) {
    checkReason(reason);
    const { actor, user } = await actingOn(ctx, whom, "users.delete");
    const demands = actor.isOperator ? [] : await keepAnAdmin(ctx, user);
    return ctx.commit(erase(user, { actor: actor.name, reason, demands }), { userId: user.id });
  },
});
