// Who may act on whom: one rule for every administrative command and every actor.
// - Acting on a user requires every permission of the user's roles.
// - Giving, taking, changing or deleting a role R, or requiring a factor for it, requires every permission of R and
//   also `role.<R>` or `roles.give-any`. A role without permissions is a right too: services may rely on its name. A
//   role counts with all its permissions, even if its holder's session does not carry the role.
import type { RoleRank } from "../../db/roles.ts";
import { type Refusal, refuse } from "../../protocol/errors.ts";
import type { Permission } from "./permissions.ts";

/** The permissions of an actor. */
export interface PermissionHolder {
  holds(permission: string): boolean;
}

/** Acting on a user with these roles, or giving, taking or changing the roles. */
type RoleUse = "act-on-holder" | "give";

const giveAny: Permission = "roles.give-any";

/** @throws Refusal FORBIDDEN, details.permission: the first missing one */
export function demandRank(actor: PermissionHolder, roles: readonly RoleRank[], use: RoleUse): void {
  for (const { name, permissions } of roles) {
    demandAll(actor, permissions);
    if (use === "give" && !actor.holds(giveAny) && !actor.holds(`role.${name}`)) throw mayNotGive(name);
  }
}

/** Nobody gives or takes a permission that they do not have. @throws Refusal FORBIDDEN */
export function demandAll(actor: PermissionHolder, permissions: readonly string[]): void {
  const lacking = permissions.find((each) => !actor.holds(each));
  if (lacking !== undefined) throw lacks(lacking);
}

export function lacks(permission: string): Refusal {
  return refuse("FORBIDDEN", { message: `This takes the permission ${permission}.`, details: { permission } });
}

function mayNotGive(role: string): Refusal {
  const permission = `role.${role}`;
  const message = `This takes the permission ${permission}, or ${giveAny}.`;
  return refuse("FORBIDDEN", { message, details: { permission } });
}
