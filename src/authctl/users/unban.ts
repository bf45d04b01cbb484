// authctl users unban: over auth.admin.unban-user with an operator token.
import { userCommand } from "./act.ts";

export const usersUnban = userCommand({
  name: "users unban",
  summary: "lifts the ban of a user",
  about:
    "Lifts the ban of the user with this login (or `id:NUMBER`). Sessions that the ban ended stay over: the user logs in again.",
  event: "UserUnbanned",
  async act({ client, input, user: { userId, login } }) {
    const { wasBanned } = await client.request("auth.admin.unban-user", input);
    const line = wasBanned
      ? `${login} (${userId}) is banned no more.`
      : `${login} (${userId}) was not banned; nothing changed.`;
    return { more: { wasBanned }, line };
  },
});
