// authctl users unlock: over auth.admin.unlock-user with an operator token.
import type { Command } from "./command.ts";
import { actHelp, actOnUser, actOptions } from "./users-act.ts";

export const usersUnlock: Command = {
  name: "users unlock",
  usage: "LOGIN [--reason TEXT] [--as NAME]",
  summary: "lets a user try again at once after failed attempts",
  help: `Forgets the failed attempts at the password and the codes of the user with this login (or \`id:NUMBER\`), so that nobody has to wait.
A ban is something else: see users unban.

  --reason TEXT   why; stands in the event UserUnlocked
  --as NAME       who does it, as the event says: operator:NAME; default: the system's user name

${actHelp}`,
  needs: ["LOGIN"],
  options: actOptions,
  async run(call) {
    return actOnUser(call, async ({ client, input, user: { userId, login } }) => {
      const { failedAttempts } = await client.request("auth.admin.unlock-user", input);
      const line =
        failedAttempts > 0
          ? `${login} (${userId}) can try again at once; failed attempts forgotten: ${failedAttempts}.`
          : `${login} (${userId}) had no failed attempts; nothing changed.`;
      return { document: { userId, login, failedAttempts }, lines: [line] };
    });
  },
};
