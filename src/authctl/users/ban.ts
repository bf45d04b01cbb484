// authctl users ban (auth.admin.ban-user). A reason is required, because it is all that the next operator has.
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { UsageFault } from "../faults.ts";
import { untilOption } from "../terminal/until.ts";
import { actOnUser, lastAdminText } from "./act.ts";

export async function usersBan(call: Invocation): Promise<CommandResult> {
  const until = untilOption(call);
  if (!textOption(call, "reason")) throw new UsageFault("Say why: --reason TEXT.");
  const end = until === null ? "until it is lifted" : `until ${new Date(until).toISOString()}`;
  return actOnUser(
    call,
    async ({ client, input, user: { userId, login } }) => {
      await client.request("auth.admin.ban-user", { ...input, until });
      const document = { userId, login, done: true, until: until === null ? null : new Date(until).toISOString() };
      return { document, lines: [`${login} (${userId}) is banned ${end}; all sessions ended.`] };
    },
    (user) => `${lastAdminText(user)}Ban ${user.login} (${user.userId}) ${end}?`,
  );
}
