// authctl users create-admin: an administrator before there is any, so at the database itself. One commit creates the
// account, confirmed, with its password, its role and its events, which a relay publishes like all others. The password
// is never an argument: it is asked for and not shown, or read from standard input.
import { checkEmail, checkName, checkNewPassword } from "../../accounts/input.ts";
import { adminRole } from "../../accounts/users.ts";
import { systemClock } from "../../lib/clock.ts";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { withDatabase } from "../connect/database.ts";
import { operatorName } from "../connect/operator.ts";
import { findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";

export async function usersCreateAdmin(call: Invocation): Promise<CommandResult> {
  const [typedLogin = "", typedEmail = ""] = call.words;
  const login = checkName("login", typedLogin);
  const username = checkName("username", textOption(call, "username") ?? login);
  const email = checkEmail(typedEmail);
  const actor = `operator:${operatorName(call)}`;
  const target = findTarget(call.env);
  const { config } = target;
  const password = await askPassword(call);
  const [{ passwordsOf, policyOf }, { loadFleetKeys }, { createConfirmedAccount }, { silentLog }] = await Promise.all([
    import("../../processes/worker.ts"),
    import("../../keys/fleet-keys.ts"),
    import("../../accounts/create-confirmed-account.ts"),
    import("../connect/silent-log.ts"),
  ]);
  const policy = policyOf(config, silentLog);
  await checkNewPassword({ policy }, { field: "password", password, about: [login, username, email] });
  const hash = await passwordsOf(config, silentLog).hash(password);
  const userId = await withDatabase(target, "to make an administrator", async (pool) => {
    const keys = await loadFleetKeys(pool, config.AUTH_MASTER_KEY ?? [], silentLog);
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
}

/** @throws UsageFault where none is given, or two different ones */
async function askPassword({ terminal }: Invocation): Promise<string> {
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
