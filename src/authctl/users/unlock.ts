// authctl users unlock: over auth.admin.unlock-user with an operator token.
import { userCommand } from "./act.ts";

export const usersUnlock = userCommand({
  name: "users unlock",
  summary: "lets a user try again at once after failed attempts",
  about: `Forgets the failed attempts at the password and the codes of the user with this login (or \`id:NUMBER\`), so that nobody has to wait.
A ban is something else: see users unban.`,
  event: "UserUnlocked",
  async act({ client, input, user: { userId, login } }) {
    const { failedAttempts } = await client.request("auth.admin.unlock-user", input);
    const line =
      failedAttempts > 0
        ? `${login} (${userId}) can try again at once; failed attempts forgotten: ${failedAttempts}.`
        : `${login} (${userId}) had no failed attempts; nothing changed.`;
    return { more: { failedAttempts }, line };
  },
});
