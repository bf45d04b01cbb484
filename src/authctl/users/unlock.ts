// authctl users unlock (auth.admin.unlock-user).
import { userAct } from "./act.ts";

export const usersUnlock = userAct({
  async act({ client, input, user: { userId, login } }) {
    const { failedAttempts } = await client.request("auth.admin.unlock-user", input);
    const line =
      failedAttempts > 0
        ? `${login} (${userId}) can try again at once; failed attempts forgotten: ${failedAttempts}.`
        : `${login} (${userId}) had no failed attempts; nothing changed.`;
    return { more: { failedAttempts }, line };
  },
});
