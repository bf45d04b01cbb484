// authctl roles: what roles permit, over auth.admin.list-roles, change-role and delete-role with an operator token.

import { type Answer, type Call, type Command, textOption } from "../command.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { columns } from "../terminal/table.ts";
import { actHelp, actOptions, asOperator } from "../users/act.ts";

const options = { ...actOptions, yes: { type: "boolean" } } as const;

const byWhom = `  --reason TEXT   why; stands in the event
  --as NAME       as this operator, also where an administrator is logged in

${actHelp}`;

export const rolesList: Command = {
  name: "roles list",
  usage: "[--as NAME]",
  summary: "all roles and what they permit",
  help: `Shows all roles with their permissions.

  --as NAME   as this operator, also where an administrator is logged in

${actHelp}`,
  needs: [],
  options: { as: actOptions.as },
  async run(call) {
    return asOperator(call, async ({ client, actorToken }) => {
      const { roles } = await client.request("auth.admin.list-roles", { actorToken });
      const rows = roles.map(({ name, permissions }) => [name, listed(permissions)]);
      return { document: { roles }, lines: columns([["role", "permissions"], ...rows]) };
    });
  },
};

export const rolesCreate: Command = {
  name: "roles create",
  usage: "ROLE [PERMISSION ...] [--reason TEXT] [--as NAME]",
  summary: "makes a role that permits these things",
  help: `Makes a role with these permissions, or none. A permission is any name of lower-case letters, digits, dots and dashes; those of the
auth commands are what \`roles list\` shows for admin.

${byWhom}`,
  needs: ["ROLE"],
  takes: ["PERMISSION"],
  repeats: true,
  options: actOptions,
  run: (call) => change(call, (permissions) => ({ create: true, grant: permissions })),
};

export const rolesGrant: Command = {
  name: "roles grant",
  usage: "ROLE PERMISSION ... [--reason TEXT] [--as NAME]",
  summary: "lets a role permit more",
  help: `Gives permissions to a role. It counts at once for everybody who has the role.

${byWhom}`,
  needs: ["ROLE", "PERMISSION"],
  repeats: true,
  options: actOptions,
  run: (call) => change(call, (permissions) => ({ grant: permissions })),
};

export const rolesRevoke: Command = {
  name: "roles revoke",
  usage: "ROLE PERMISSION ... [--reason TEXT] [--yes] [--as NAME]",
  summary: "lets a role permit less",
  help: `Takes permissions from a role. It counts at once for everybody who has the role. The role admin keeps those of the auth commands.

  --yes           does not ask
${byWhom}`,
  needs: ["ROLE", "PERMISSION"],
  repeats: true,
  options,
  async run(call) {
    checkAskable(call);
    const [role, ...permissions] = call.words;
    if (!(await confirmed(call, `Take ${listed(permissions)} from the role ${role}?`))) return nothingDone(call);
    return change(call, () => ({ revoke: permissions }));
  },
};

export const rolesDelete: Command = {
  name: "roles delete",
  usage: "ROLE [--reason TEXT] [--yes] [--as NAME]",
  summary: "deletes a role that nobody has",
  help: `Deletes a role. One that somebody has is refused: take it from its users first (users set-roles).

  --yes           does not ask
${byWhom}`,
  needs: ["ROLE"],
  options,
  async run(call) {
    checkAskable(call);
    const [role = ""] = call.words;
    if (!(await confirmed(call, `Delete the role ${role}?`))) return nothingDone(call);
    return asOperator(call, async ({ client, actorToken }) => {
      await client.request("auth.admin.delete-role", { actorToken, role, reason: reasonOf(call) });
      return { document: { role, done: true }, lines: [`The role ${role} is deleted.`] };
    });
  },
};

interface What {
  create?: boolean;
  grant?: string[];
  revoke?: string[];
}

function change(call: Call, what: (permissions: string[]) => What): Promise<Answer> {
  const [role = "", ...permissions] = call.words;
  return asOperator(call, async ({ client, actorToken }) => {
    const input = { actorToken, role, reason: reasonOf(call), ...what(permissions) };
    const changed = await client.request("auth.admin.change-role", input);
    return { document: changed, lines: [`${role} permits ${listed(changed.permissions)}`] };
  });
}

const reasonOf = (call: Call): string => textOption(call, "reason") ?? "";
const listed = (permissions: readonly string[]): string => permissions.join(", ") || "(nothing)";

function nothingDone({ words: [role] }: Call): Answer {
  return { document: { role, done: false }, lines: ["Nothing was done."], failed: true };
}
