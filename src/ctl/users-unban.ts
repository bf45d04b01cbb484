// authctl users unban: over auth.admin.unban-user with an operator token.
import type { Command } from "./command.ts";
import { actHelp, actOnUser, actOptions } from "./users-act.ts";

export const usersUnban: Command = {
  name: "users unban",
  usage: "LOGIN [--reason TEXT] [--as NAME]",
  summary: "lifts the ban of a user",
  help: `Lifts the ban of the user with this login (or \`id:NUMBER\`). Sessions that the ban ended stay over: the user logs in again.

  --reason TEXT   why; stands in the event UserUnbanned
  --as NAME       who does it, as the event says: operator:NAME; default: the system's user name

${actHelp}`,
  needs: ["LOGIN"],
  options: actOptions,
  async run(call) {
    return actOnUser(call, async ({ client, input, user: { userId, login } }) => {
      const { wasBanned } = await client.request("auth.admin.unban-user", input);
      const line = wasBanned
        ? `${login} (${userId}) is banned no more.`
        : `${login} (${userId}) was not banned; nothing changed.`;
      return { document: { userId, login, wasBanned }, lines: [line] };
    });
  },
};
