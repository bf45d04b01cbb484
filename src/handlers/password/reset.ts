// Reset: sets a new password with the link that was mailed to the account's address, once. All sessions, all other
// links and all known devices are dropped. It opens no session and removes no factor: a user with a second factor is
// asked for it at the next login (OWASP ASVS 6.4.3), without waiting for earlier wrong codes. Refuses INVALID_INPUT,
// THROTTLED, WEAK_PASSWORD (the link stays valid), TOKEN_INVALID (unknown, forged, used, of another purpose, account
// changed since), TOKEN_EXPIRED, BANNED (the link proves who they are).

import { checkNewPassword } from "../../accounts/input.ts";
import { requireLink } from "../../accounts/links.ts";
import { mail } from "../../accounts/mails.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { forgetAttempts, forgetDevices } from "../../db/attempts.ts";
import { endTotpWait } from "../../db/factors.ts";
import { endSessionsOf } from "../../db/sessions.ts";
import type { Write } from "../../db/statements.ts";
import { raiseGenerationAndEpoch, setPassword } from "../../db/users.ts";

export default defineHandler({
  topic: "auth.password.reset",
  lane: "hash",
  storesAnswer: true,
  needs: ["passwords", "uses"],
  async handle({ token, newPassword, client }, ctx) {
    const link = await requireLink(ctx, token, "reset", client);
    const { userId: id, login, username, email, locale, generation } = link;
    await checkNewPassword(ctx.passwords, {
      field: "newPassword",
      password: newPassword,
      about: [login, username, email],
    });
    const hash = await ctx.passwords.hash(newPassword);
    return ctx.commit(
      {
        user: { id, lock: raiseGenerationAndEpoch(id, { generation, banned: false }), generation: generation + 1 },
        events: [event("PasswordReset", {})],
        writes: [link.use, setPassword(id, hash), endSessionsOf(id, "password-reset"), ...lifted(id), ...link.refund],
        messages: [
          mail(ctx, "password-reset", { key: String(id), email, username, locale, from: { request: client } }),
        ],
      },
      {},
    );
  },
});

/** What a reset by mail clears besides. */
function lifted(userId: number): Write[] {
  return [forgetAttempts(userId), forgetDevices(userId), endTotpWait(userId)];
}
