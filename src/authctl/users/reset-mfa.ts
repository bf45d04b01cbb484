// authctl users reset-mfa: over auth.admin.reset-mfa with an operator token. It asks, because whoever talks an operator into this needs
// only the password afterwards.
import { type Command, textOption, UsageFault } from "../command.ts";
import { actHelp, actOnUser, actOptions } from "./act.ts";

export const usersResetMfa: Command = {
  name: "users reset-mfa",
  usage: "LOGIN --reason TEXT [--yes] [--as NAME]",
  summary: "removes the second factors of a user who has lost them, and ends his sessions",
  help: `Removes the authenticator app, passkeys and recovery codes of the user with this login (or \`id:NUMBER\`) and ends all sessions. From then on
the password is enough, until he sets up a factor again: make sure that it is he who asks.

  --reason TEXT   why, and how you know him
  --yes           does not ask
  --as NAME       as this operator, also where an administrator is logged in

${actHelp}`,
  needs: ["LOGIN"],
  options: { ...actOptions, yes: { type: "boolean" } },
  async run(call) {
    if (!textOption(call, "reason")) throw new UsageFault("Say why: --reason TEXT.");
    return actOnUser(
      call,
      async ({ client, input, user: { userId, login } }) => {
        const { hadFactors } = await client.request("auth.admin.reset-mfa", input);
        const line = hadFactors
          ? `${login} (${userId}) has no second factor any more; all sessions ended.`
          : `${login} (${userId}) had no second factor.`;
        return { document: { userId, login, done: true, hadFactors }, lines: [line] };
      },
      ({ userId, login }) => `Remove all second factors of ${login} (${userId})?`,
    );
  },
};
