// Get-user: shows one user to an administrator or operator.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.
import { defineHandler } from "../define.ts";
import { adminOf, targetOf } from "./actor.ts";

export const getUser = defineHandler({
  topic: "auth.admin.get-user",
  lane: "db",
  once: false,
  async handle({ actorToken, target }, ctx) {
    await adminOf(ctx, actorToken);
    const { id: userId, banned, confirmed, ...user } = await targetOf(ctx, target);
    const { login, username, email, roles, createdAt, bannedUntil } = user;
    return { userId, login, username, email, isActive: !banned, isVerified: confirmed, roles, createdAt, bannedUntil };
  },
});
