// authctl users set-roles: gives a user exactly these roles (auth.admin.set-roles), and shows the roles before and
// after. Those before are read just before the change: a change by another operator in between is not shown, but its
// events are not lost.
import type { AdminGetUserResult } from "../../protocol/generated/schemas.ts";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { actingFor } from "../connect/actor.ts";
import { UsageFault } from "../faults.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { aligned } from "../terminal/table.ts";
import { lastAdminText } from "./act.ts";
import { rolesText } from "./show.ts";

export async function usersSetRoles(call: Invocation): Promise<CommandResult> {
  const roles = readRoles(call);
  const { target, actor } = await actingFor(call);
  const [login = ""] = call.words;
  const reason = textOption(call, "reason");
  return call.reach(target, async ({ client }) => {
    const before = await client.request("auth.admin.get-user", { actorToken: await actor(client), target: login });
    if (before.lastAdmin && !roles.includes("admin") && !(await mayLeaveNoAdmin(call, before)))
      return { document: { userId: before.userId, done: false }, lines: ["Nothing was done."], failed: true };
    const input = {
      actorToken: await actor(client),
      target: `id:${before.userId}`,
      roles,
      ...(reason && { reason }),
    };
    const after = await client.request("auth.admin.set-roles", input);
    return {
      document: { userId: after.userId, login: before.login, before: before.roles, after: after.roles },
      lines: aligned([
        ["user", `${before.login} (${after.userId})`],
        ["before", rolesText(before.roles)],
        ["after", rolesText(after.roles)],
      ]),
    };
  });
}

/** @throws UsageFault where nobody can be asked */
function mayLeaveNoAdmin(call: Invocation, user: AdminGetUserResult): Promise<boolean> {
  checkAskable(call);
  return confirmed(call, `${lastAdminText(user)}Take the role admin from ${user.login} (${user.userId})?`);
}

function readRoles({ words: [, list], options }: Invocation): string[] {
  const none = options["none"] === true;
  if (list === undefined && none) return [];
  if (list === undefined) throw new UsageFault("Name the roles, or say --none.");
  if (none) throw new UsageFault("Either name roles or say --none, not both.");
  const roles = list.split(",").map((role) => role.trim());
  if (roles.includes("")) throw new UsageFault("A role's name is empty: separate roles with one comma, or say --none.");
  return roles;
}
