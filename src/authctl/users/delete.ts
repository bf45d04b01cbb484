// authctl users delete (auth.admin.delete-user). It cannot be undone, so the question names the user in full.
import { lastAdminText, userAct } from "./act.ts";

export const usersDelete = userAct({
  ask: (user) => `${lastAdminText(user)}Delete ${user.login} (${user.userId}, ${user.username}) permanently?`,
  async act({ client, input, user: { userId, login } }) {
    await client.request("auth.admin.delete-user", input);
    return { line: `${login} (${userId}) is deleted.` };
  },
});
