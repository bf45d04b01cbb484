// authctl users reset-mfa (auth.admin.reset-mfa). It asks, because afterwards the password alone is enough: an attacker
// who talks an operator into it needs nothing else.
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { UsageFault } from "../faults.ts";
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
