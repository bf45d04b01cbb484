// authctl roles: what roles permit (auth.admin.list-roles, change-role, delete-role).
import { type CommandResult, type Invocation, type Run, textOption } from "../command.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { table } from "../terminal/table.ts";
import { asActor } from "../users/act.ts";

export async function rolesList(call: Invocation): Promise<CommandResult> {
  return asActor(call, async ({ client, actorToken }) => {
    const { roles } = await client.request("auth.admin.list-roles", { actorToken });
    const rows = roles.map(({ name, permissions }) => [name, listed(permissions)]);
    return { document: { roles }, lines: table([["role", "permissions"], ...rows]) };
  });
}

export const rolesCreate: Run = (call) => change(call, (permissions) => ({ create: true, grant: permissions }));

export const rolesGrant: Run = (call) => change(call, (permissions) => ({ grant: permissions }));

export async function rolesRevoke(call: Invocation): Promise<CommandResult> {
  checkAskable(call);
  const [role, ...permissions] = call.words;
  if (!(await confirmed(call, `Take ${listed(permissions)} from the role ${role}?`))) return nothingDone(call);
  return change(call, () => ({ revoke: permissions }));
}

export async function rolesDelete(call: Invocation): Promise<CommandResult> {
  checkAskable(call);
  const [role = ""] = call.words;
  if (!(await confirmed(call, `Delete the role ${role}?`))) return nothingDone(call);
  return asActor(call, async ({ client, actorToken }) => {
    await client.request("auth.admin.delete-role", { actorToken, role, reason: readReason(call) });
    return { document: { role, done: true }, lines: [`The role ${role} is deleted.`] };
  });
}

interface What {
  create?: boolean;
  grant?: string[];
  revoke?: string[];
}

function change(call: Invocation, what: (permissions: string[]) => What): Promise<CommandResult> {
  const [role = "", ...permissions] = call.words;
  return asActor(call, async ({ client, actorToken }) => {
    const input = { actorToken, role, reason: readReason(call), ...what(permissions) };
    const changed = await client.request("auth.admin.change-role", input);
    return { document: changed, lines: [`${role} permits ${listed(changed.permissions)}`] };
  });
}

const readReason = (call: Invocation): string => textOption(call, "reason") ?? "";
const listed = (permissions: readonly string[]): string => permissions.join(", ") || "(nothing)";

function nothingDone({ words: [role] }: Invocation): CommandResult {
  return { document: { role, done: false }, lines: ["Nothing was done."], failed: true };
}
