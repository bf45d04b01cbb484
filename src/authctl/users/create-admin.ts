// authctl users create-admin: an administrator before there is any, so at the database itself (contract, section 9): one commit makes the account,
// confirmed, with its password, its role and its events, which a relay publishes as all others.
// The password never stands on the command line: it is asked for, unseen, or read from standard input.

import { createConfirmedAccount } from "../../accounts/create-confirmed-account.ts";
import { checkEmail, checkName, checkNewPassword } from "../../accounts/input.ts";
import { adminRole } from "../../accounts/users.ts";
import { loadFleetKeys } from "../../keys/fleet-keys.ts";
import { systemClock } from "../../lib/clock.ts";
import { passwordsOf, policyOf } from "../../processes/index.ts";
import { type Call, type Command, textOption, UsageFault } from "../command.ts";
import { quiet } from "../connect/connect.ts";
import { withDatabase } from "../connect/database.ts";
import { operatorName } from "../connect/operator.ts";
import { targetOf } from "../connect/target.ts";
import { actOptions } from "./act.ts";

export const usersCreateAdmin: Command = {
  name: "users create-admin",
  usage: "LOGIN EMAIL [--username NAME] [--reason TEXT] [--as NAME]",
  summary: "makes an administrator, also before there is any user",
  help: `Makes a confirmed account with the role admin. The password is asked for twice, unseen; where standard input is no terminal, it is read from there
(one line). Needs no running fleet, only the database after authfleet migrate ran. A login or e-mail address that is taken is refused,
and nothing changes: to make an administrator of somebody who is there, see users set-roles.

  --username NAME   default: the login
  --reason TEXT     why; stands in the event RolesChanged
  --as NAME         who does it, as the events say: operator:NAME; default: the system's user name

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY, and reads what the fleet reads, which must be the same: AUTH_PASSWORD_*, AUTH_BREACHED_PASSWORDS,
AUTH_PRODUCT, AUTH_PEPPER, AUTH_ARGON2_*, and AUTH_LEGACY_TOPICS (whether the platform's other services are told of the account).`,
  needs: ["LOGIN", "EMAIL"],
  options: { ...actOptions, username: { type: "string" } },
  async run(call) {
    const [typedLogin = "", typedEmail = ""] = call.words;
    const login = checkName("login", typedLogin);
    const username = checkName("username", textOption(call, "username") ?? login);
    const email = checkEmail(typedEmail);
    const actor = `operator:${operatorName(call)}`;
    const target = targetOf(call.env);
    const { config } = target;
    const password = await passwordOf(call);
    const policy = policyOf(config, quiet);
    await checkNewPassword({ policy }, { field: "password", password, about: [login, username, email] });
    const hash = await passwordsOf(config, quiet).hash(password);
    const userId = await withDatabase(target, "to make an administrator", async (pool) => {
      const keys = await loadFleetKeys(pool, config.AUTH_MASTER_KEY ?? [], quiet);
      keys.stop();
      return createConfirmedAccount(
        { pool, clock: systemClock, dataKeys: keys.dataKeys },
        {
          ...{ login, username, email, hash, actor, roles: [adminRole] },
          reason: textOption(call, "reason") ?? "",
          tellPlatform: config.AUTH_LEGACY_TOPICS,
        },
      );
    });
    return {
      document: { userId, login, roles: [adminRole] },
      lines: [`${login} (${userId}) is an administrator and may log in.`],
    };
  },
};

/** @throws UsageFault where none is given, or two different ones */
async function passwordOf({ terminal }: Call): Promise<string> {
  const { askUnseen } = terminal;
  if (askUnseen === undefined) {
    const given = (await terminal.input()).replace(/\r?\n$/, "");
    if (given === "") throw new UsageFault("Give the password on standard input.");
    if (/[\r\n]/.test(given)) throw new UsageFault("The password on standard input must be one line.");
    return given;
  }
  const password = await askUnseen("Password: ");
  if (password === "") throw new UsageFault("No password was given.");
  if ((await askUnseen("The same again: ")) !== password) throw new UsageFault("These were two different passwords.");
  return password;
}
