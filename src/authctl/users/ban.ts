// authctl users ban: over auth.admin.ban-user with an operator token. The reason is asked for, because it is all that the next operator has.
import { type Command, textOption, UsageFault } from "../command.ts";
import { untilOption } from "../terminal/until.ts";
import { actHelp, actOnUser, actOptions, lastAdminText } from "./act.ts";

export const usersBan: Command = {
  name: "users ban",
  usage: "LOGIN --reason TEXT [--until TIME] [--yes] [--as NAME]",
  summary: "ends all sessions of a user and lets nobody log in to the account",
  help: `Bans the user with this login (or \`id:NUMBER\`): all sessions end at once, and nobody logs in to the account until the ban ends. For a user
who is banned already the new reason and end count.

  --reason TEXT   why; stands in the event UserBanned
  --until TIME    when the ban ends by itself: 2030-01-31, 2030-01-31T18:00Z, or 7d from now; default: when it is lifted
  --yes           does not ask
  --as NAME       as this operator, also where an administrator is logged in

${actHelp}`,
  needs: ["LOGIN"],
  options: { ...actOptions, until: { type: "string" }, yes: { type: "boolean" } },
  async run(call) {
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
  },
};
