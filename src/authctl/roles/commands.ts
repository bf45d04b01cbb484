// How the commands on roles are called.
import { type Command, flag, valued } from "../command.ts";
import { actNotes, as, reasonFor, yes } from "../users/commands.ts";

const role = ["<ROLE>", "the role's name"] as const;

const list: Command = {
  name: "roles list",
  usage: "[--as NAME]",
  summary: "all roles and what they permit",
  about: "Lists all roles with their permissions.",
  options: { as },
  notes: actNotes,
  load: async () => (await import("./roles.ts")).rolesList,
};

const create: Command = {
  name: "roles create",
  usage: "ROLE [PERMISSION ...] [--reason TEXT] [--as NAME]",
  summary: "creates a role with these permissions",
  about: "Creates a role with the permissions that are named, or with none.",
  arguments: [
    role,
    [
      "[PERMISSION...]",
      "any name of lower-case letters, digits, dots and dashes; `roles list` shows for admin those that the auth commands check",
    ],
  ],
  options: { reason: valued("TEXT", "why; kept in the event"), as },
  notes: actNotes,
  load: async () => (await import("./roles.ts")).rolesCreate,
};

const grant: Command = {
  name: "roles grant",
  usage: "ROLE PERMISSION ... [--reason TEXT] [--as NAME]",
  summary: "adds permissions to a role",
  about: "Adds permissions to a role. This takes effect at once for every user who has the role.",
  arguments: [role, ["<PERMISSION...>", "what the role permits from now on"]],
  options: { reason: valued("TEXT", "why; kept in the event"), as },
  notes: actNotes,
  load: async () => (await import("./roles.ts")).rolesGrant,
};

const revoke: Command = {
  name: "roles revoke",
  usage: "ROLE PERMISSION ... [--reason TEXT] [--yes] [--as NAME]",
  summary: "takes permissions from a role",
  about: `Takes permissions from a role, at once for every user who has the role. The role admin always keeps those that the auth commands check.`,
  arguments: [role, ["<PERMISSION...>", "what the role no longer permits"]],
  options: { reason: valued("TEXT", "why; kept in the event"), yes, as },
  notes: actNotes,
  load: async () => (await import("./roles.ts")).rolesRevoke,
};

const requireMfa: Command = {
  name: "roles require-mfa",
  usage: "ROLE [--off] [--reason TEXT] [--as NAME]",
  summary: "makes a role count only in sessions opened with a second factor",
  about: `From then on, a session opened with a password alone does not have the role. Its user can still log in and set up a factor, and has the role once they have used it, so nobody is locked out. The fleet follows at once. Services that check access tokens themselves follow when the token is renewed, within AUTH_ACCESS_TTL.`,
  arguments: [role],
  options: { off: flag("the role counts in every session again"), reason: reasonFor("MfaRequirementChanged"), as },
  notes: actNotes,
  load: async () => (await import("./require-mfa.ts")).rolesRequireMfa,
};

const remove: Command = {
  name: "roles delete",
  usage: "ROLE [--reason TEXT] [--yes] [--as NAME]",
  summary: "deletes a role that no user has",
  about: `Deletes a role. It is refused while a user has the role: take it from them first (users set-roles).`,
  arguments: [role],
  options: { reason: valued("TEXT", "why; kept in the event"), yes, as },
  notes: actNotes,
  load: async () => (await import("./roles.ts")).rolesDelete,
};

export const roleCommands: readonly Command[] = [list, create, grant, revoke, requireMfa, remove];
