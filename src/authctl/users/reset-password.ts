// authctl users reset-password: has a link mailed with which the owner sets a new password. An operator starts it and never knows the password
// (OWASP ASVS 6.4.6); until the link is used nothing changes.
import type { Command } from "../command.ts";
import { actHelp, actOnUser } from "./act.ts";

export const usersResetPassword: Command = {
  name: "users reset-password",
  usage: "LOGIN [--as NAME]",
  summary: "mails a link with which the user sets a new password",
  help: `Has a link mailed to the user with this login (or \`id:NUMBER\`), as the user himself can ask for (auth.password.forgot): until it is used the
old password holds and sessions go on. Nothing is mailed to an account that is not confirmed or is banned, nor beyond AUTH_MAILS_PER_HOUR.

  --as NAME   as this operator, also where an administrator is logged in

${actHelp}`,
  needs: ["LOGIN"],
  options: { as: { type: "string" } },
  async run(call) {
    return actOnUser(call, async ({ client, user: { userId, login, email, isVerified, isActive } }) => {
      const document = { userId, login };
      if (!isVerified || !isActive) {
        const why = isVerified ? "is banned" : "is not confirmed";
        return {
          document: { ...document, done: false },
          lines: [`${login} (${userId}) ${why}: nothing is mailed.`],
          failed: true,
        };
      }
      await client.request("auth.password.forgot", { email });
      return {
        document: { ...document, done: true },
        lines: [`A link goes to the e-mail address of ${login} (${userId}).`],
      };
    });
  },
};
