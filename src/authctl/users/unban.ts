// authctl users unban (auth.admin.unban-user).
import { userAct } from "./act.ts";

export const usersUnban = userAct({
  async act({ client, input, user: { userId, login } }) {
    const { wasBanned } = await client.request("auth.admin.unban-user", input);
    const line = wasBanned
      ? `${login} (${userId}) is banned no more.`
      : `${login} (${userId}) was not banned; nothing changed.`;
    return { more: { wasBanned }, line };
  },
});
