// authctl users reset-mfa: over auth.admin.reset-mfa with an operator token. It asks, because whoever talks an operator into this needs
// only the password afterwards.
import { type CommandResult, type Invocation, textOption, UsageFault } from "../command.ts";
import { actOnUser } from "./act.ts";

export async function usersResetMfa(call: Invocation): Promise<CommandResult> {
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
}
