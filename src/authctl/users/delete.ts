// authctl users delete: over auth.admin.delete-user with an operator token. It cannot be taken back, so it asks with the whole name.
import { lastAdminText, userAct } from "./act.ts";

export const usersDelete = userAct({
  ask: (user) => `${lastAdminText(user)}Delete ${user.login} (${user.userId}, ${user.username}) for ever?`,
  async act({ client, input, user: { userId, login } }) {
    await client.request("auth.admin.delete-user", input);
    return { line: `${login} (${userId}) is deleted.` };
  },
});
