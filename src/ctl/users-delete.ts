// authctl users delete: over auth.admin.delete-user with an operator token. It cannot be taken back, so it asks with the whole name.
import type { Command } from "./command.ts";
import { actHelp, actOnUser, actOptions, lastAdminText } from "./users-act.ts";

export const usersDelete: Command = {
  name: "users delete",
  usage: "LOGIN [--reason TEXT] [--yes] [--as NAME]",
  summary: "deletes a user for ever",
  help: `Deletes the user with this login (or \`id:NUMBER\`): account, password and roles are gone, all sessions end, login and e-mail address are free.
It cannot be taken back.

  --reason TEXT   why; stands in the event UserDeleted
  --yes           does not ask
  --as NAME       who does it, as the event says: operator:NAME; default: the system's user name

${actHelp}`,
  needs: ["LOGIN"],
  options: { ...actOptions, yes: { type: "boolean" } },
  async run(call) {
    return actOnUser(
      call,
      async ({ client, input, user: { userId, login } }) => {
        await client.request("auth.admin.delete-user", input);
        return { document: { userId, login, done: true }, lines: [`${login} (${userId}) is deleted.`] };
      },
      (user) => `${lastAdminText(user)}Delete ${user.login} (${user.userId}, ${user.username}) for ever?`,
    );
  },
};
