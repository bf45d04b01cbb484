// authctl users reset-password: mails a link with which the owner sets a new password. An operator starts it and never
// knows the password (OWASP ASVS 6.4.6); until the link is used nothing changes.
import type { CommandResult, Invocation } from "../command.ts";
import { actOnUser } from "./act.ts";

export async function usersResetPassword(call: Invocation): Promise<CommandResult> {
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
}
