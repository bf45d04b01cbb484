// The permissions of the administrative commands, and the form of permission and role names. The role admin has all of
// them, by migration; an operator has those they were enrolled with. Services may ask auth.access.check for permissions
// of their own.
import { invalid } from "../../protocol/errors.ts";

/** permission -> what it allows */
export const permissions = {
  "users.read": "find users, show them and their sessions",
  "users.export": "take a copy of everything that is held about a user",
  "users.ban": "ban users and lift bans",
  "users.delete": "delete users",
  "users.unlock": "let a user log in again who is locked out by failed attempts",
  "users.reset-mfa": "remove the second factors of a user who has lost them",
  "users.set-roles": "give and take roles whose permissions one holds, each with its `role.<name>`",
  "sessions.revoke": "end sessions of users",
  "roles.read": "show roles and what they permit",
  "roles.change":
    "make, change and delete roles whose permissions one holds, each that is there with its `role.<name>`",
  "roles.give-any": "stands for `role.<name>` of every role",
  "operators.manage": "enrol and remove operators whose permissions one holds, and list all",
} as const;

export type Permission = keyof typeof permissions;

/** A permission of ours: the role admin always keeps it. */
export function isOwn(permission: string): permission is Permission {
  return Object.hasOwn(permissions, permission);
}

const permissionForm = /^[a-z0-9][a-z0-9.-]{0,63}$/;
const roleForm = /^[a-z][a-z0-9-]{0,31}$/;

/** @throws Refusal INVALID_INPUT */
export function checkPermission(field: string, name: string): void {
  if (!permissionForm.test(name))
    throw invalid(field, "must be lower-case letters, digits, dots and dashes, 64 at most");
}

export function isRole(name: string): boolean {
  return roleForm.test(name);
}

/** @throws Refusal INVALID_INPUT */
export function checkRole(name: string): void {
  if (!isRole(name))
    throw invalid("role", "must be a lower-case letter, then lower-case letters, digits or dashes, 32 at most");
}
