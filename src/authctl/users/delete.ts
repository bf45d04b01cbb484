// authctl users delete: over auth.admin.delete-user with an operator token. It cannot be taken back, so it asks with the whole name.
import { lastAdminText, userCommand } from "./act.ts";

export const usersDelete = userCommand({
  name: "users delete",
  summary: "deletes a user for ever",
  about: `Deletes the user with this login (or \`id:NUMBER\`): account, password and roles are gone, all sessions end, login and e-mail address are free.
It cannot be taken back.`,
  event: "UserDeleted",
  ask: (user) => `${lastAdminText(user)}Delete ${user.login} (${user.userId}, ${user.username}) for ever?`,
  async act({ client, input, user: { userId, login } }) {
    await client.request("auth.admin.delete-user", input);
    return { line: `${login} (${userId}) is deleted.` };
  },
});
