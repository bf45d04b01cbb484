// Who may act on whom. One rule for every administrative command, whoever the actor is (tested by
// test/command/admin/rank.test.ts):
// - acting on a user takes every permission of the user's roles;
// - giving or taking a role R, and changing, deleting or requiring a factor of R, takes every permission of R and
//   `role.<R>`, or `roles.give-any` in place of `role.<R>`.
// A role without permissions is a right too: services may trust its name.
// A role's permissions count whole, whether or not the session of its holder bears the role.
import type { RoleRank } from "../../db/roles.ts";
import { type Refusal, refuse } from "../../protocol/errors.ts";
import type { Permission } from "./permissions.ts";

/** What an actor holds. */
export interface PermissionHolder {
  holds(permission: string): boolean;
}

/** Acting on whoever has these roles, or giving, taking and changing them. */
type RoleUse = "act-on-holder" | "give";

const giveAny: Permission = "roles.give-any";

/** @throws Refusal FORBIDDEN, details.permission: the first one that is lacking */
export function demandRank(actor: PermissionHolder, roles: readonly RoleRank[], use: RoleUse): void {
  for (const { name, permissions } of roles) {
    demandAll(actor, permissions);
    if (use === "give" && !actor.holds(giveAny) && !actor.holds(`role.${name}`)) throw mayNotGive(name);
  }
}

/** Nobody gives or takes a permission that they do not hold. @throws Refusal FORBIDDEN */
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
