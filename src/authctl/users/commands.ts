// How the commands on users and their sessions are called.
import { type Command, flag, type OptionDefinition, oneOf, valued } from "../command.ts";
import { userStates } from "./states.ts";

export const actNotes = `The command goes through Kafka. It is done in the name of the administrator who did \`authctl login\`, with their permissions. With --as NAME, or where nobody is logged in, it is done as the operator whose key AUTH_OPERATOR_KEY_FILE names.`;

export const yes = flag("do not ask");
export const as = valued("NAME", "act as this operator, also where an administrator is logged in");

/** @param event in which the reason is kept */
export const reasonFor = (event: string): OptionDefinition => valued("TEXT", `why; kept in the event ${event}`);

const login = ["<LOGIN>", "the user's login, in any case, or id:NUMBER"] as const;

const find: Command = {
  name: "users find",
  usage: "[TEXT] [--state unconfirmed|active|banned] [--limit N] [--cursor CURSOR] [--as NAME]",
  summary: "users whose login or e-mail address begins with a text",
  about: `Lists users in the order of their logins. Where there are more than fit on a page, it says how to get the next one.`,
  arguments: [
    ["[TEXT]", "the beginning of a login or e-mail address, in any case, or id:NUMBER; without it all users"],
  ],
  options: {
    state: oneOf("STATE", userStates, "only users in this state"),
    limit: valued("N", "users on a page, 1 to 200; default 50"),
    cursor: valued("CURSOR", "the next page, as the page before printed it"),
    as,
  },
  notes: actNotes,
  load: async () => (await import("./find.ts")).usersFind,
};

const show: Command = {
  name: "users show",
  usage: "LOGIN [--as NAME]",
  summary: "one user: names, state, roles, sessions",
  about: "Shows one user.",
  arguments: [login],
  options: { as },
  notes: actNotes,
  load: async () => (await import("./show.ts")).usersShow,
};

const setRoles: Command = {
  name: "users set-roles",
  usage: "LOGIN (ROLE[,ROLE] | --none) [--reason TEXT] [--yes] [--as NAME]",
  summary: "gives a user exactly these roles",
  about: `Gives a user the roles that are named and takes all others away. Access tokens issued before stop counting; a refresh returns one with the new roles.`,
  arguments: [login, ["[ROLE]", "the roles, separated by commas"]],
  options: {
    none: flag("no role at all"),
    reason: reasonFor("RolesChanged"),
    yes: flag("do not ask. Only taking the role admin from the last administrator asks"),
    as,
  },
  notes: actNotes,
  load: async () => (await import("./set-roles.ts")).usersSetRoles,
};

const ban: Command = {
  name: "users ban",
  usage: "LOGIN --reason TEXT [--until TIME] [--yes] [--as NAME]",
  summary: "ends all sessions of a user and refuses new logins",
  about: `Bans a user: all sessions end at once, and every login is refused until the ban ends. For a user who is already banned, the new reason and the new end replace the old ones.`,
  arguments: [login],
  options: {
    reason: reasonFor("UserBanned"),
    until: valued(
      "TIME",
      "when the ban ends by itself: 2030-01-31, 2030-01-31T18:00Z, or 7d from now; default: when it is lifted",
    ),
    yes,
    as,
  },
  notes: actNotes,
  load: async () => (await import("./ban.ts")).usersBan,
};

const unban: Command = {
  name: "users unban",
  usage: "LOGIN [--reason TEXT] [--as NAME]",
  summary: "lifts the ban of a user",
  about: "Lifts the ban of a user. Sessions that the ban ended stay ended: the user logs in again.",
  arguments: [login],
  options: { reason: reasonFor("UserUnbanned"), as },
  notes: actNotes,
  load: async () => (await import("./unban.ts")).usersUnban,
};

const unlock: Command = {
  name: "users unlock",
  usage: "LOGIN [--reason TEXT] [--as NAME]",
  summary: "lets a user try again at once after failed attempts",
  about: `Clears the failed attempts at a user's password and codes, so that the next attempt need not wait. It does not lift a ban: see users unban.`,
  arguments: [login],
  options: { reason: reasonFor("UserUnlocked"), as },
  notes: actNotes,
  load: async () => (await import("./unlock.ts")).usersUnlock,
};

const remove: Command = {
  name: "users delete",
  usage: "LOGIN [--reason TEXT] [--yes] [--as NAME]",
  summary: "deletes a user permanently",
  about: `Deletes a user: account, password and roles are removed, all sessions end, and login and e-mail address are free again. This cannot be undone.`,
  arguments: [login],
  options: { reason: reasonFor("UserDeleted"), yes, as },
  notes: actNotes,
  load: async () => (await import("./delete.ts")).usersDelete,
};

const exportUser: Command = {
  name: "users export",
  usage: "LOGIN --reason TEXT [--output FILE] [--as NAME]",
  summary: "everything that is stored about a user, as one JSON document",
  about: `Returns the document that auth.account.export would return to the user, for a user who asks by letter or mail. Check first that it is the user who asks. What does not fit into one document is left out, oldest first, and standard error says what. There is one export of a user in ten minutes, whoever takes it.`,
  arguments: [login],
  options: {
    reason: valued("TEXT", "why; kept in the event DataExported, and the user sees it in their next export"),
    output: valued(
      "FILE",
      "write the document to this file, readable by you alone (mode 0600); the file must not exist yet; default: standard output",
    ),
    as,
  },
  notes: actNotes,
  load: async () => (await import("./export.ts")).usersExport,
};

const resetPassword: Command = {
  name: "users reset-password",
  usage: "LOGIN [--as NAME]",
  summary: "mails a link with which the user sets a new password",
  about: `Mails the user a link to set a new password, as auth.password.forgot does. Until the link is used, the old password stays valid and sessions go on. Nothing is mailed to an account that is unconfirmed or banned, nor beyond AUTH_MAILS_PER_HOUR.`,
  arguments: [login],
  options: { as },
  notes: actNotes,
  load: async () => (await import("./reset-password.ts")).usersResetPassword,
};

const revokeSessions: Command = {
  name: "users revoke-sessions",
  usage: "LOGIN | --all [--reason TEXT] [--yes] [--as NAME]",
  summary: "ends all sessions of a user, or of every user",
  about: `Ends all sessions of a user, at once and everywhere. The user may log in again: to prevent that, see users ban.`,
  arguments: [["[LOGIN]", "the user's login, in any case, or id:NUMBER"]],
  options: {
    all: flag("of every user, page by page, always as an operator; run it again where it was interrupted"),
    reason: reasonFor("SessionsRevoked"),
    yes,
    as,
  },
  notes: actNotes,
  load: async () => (await import("./revoke-sessions.ts")).usersRevokeSessions,
};

const resetMfa: Command = {
  name: "users reset-mfa",
  usage: "LOGIN --reason TEXT [--yes] [--as NAME]",
  summary: "removes all second factors of a user and ends their sessions",
  about: `For a user who has lost their factors: removes the authenticator app, passkeys and recovery codes and ends all sessions. From then on the password is enough, until the user sets up a factor again. Check first that it is the user who asks.`,
  arguments: [login],
  options: { reason: valued("TEXT", "why, and how you know that it is the user"), yes, as },
  notes: actNotes,
  load: async () => (await import("./reset-mfa.ts")).usersResetMfa,
};

const createAdmin: Command = {
  name: "users create-admin",
  usage: "LOGIN EMAIL [--username NAME] [--reason TEXT] [--as NAME]",
  summary: "creates an administrator, also before there is any user",
  about: `Creates a confirmed account with the role admin. The password is asked for twice, not shown; where standard input is no terminal, it is read from there (one line). No fleet has to run: the database is enough, after authfleet migrate. A login or e-mail address that is taken is refused and nothing changes; to make an existing user an administrator, see users set-roles.`,
  arguments: [
    ["<LOGIN>", "the new account's login"],
    ["<EMAIL>", "its e-mail address"],
  ],
  options: {
    username: valued("NAME", "default: the login"),
    reason: reasonFor("RolesChanged"),
    as: valued("NAME", "who does it, in the events: operator:NAME; default: the system's user name"),
  },
  notes: `It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY. It also reads these variables, which must be the same as the fleet's: AUTH_PASSWORD_*, AUTH_BREACHED_PASSWORDS, AUTH_PRODUCT, AUTH_PEPPER, AUTH_ARGON2_*, and AUTH_LEGACY_TOPICS (whether the platform's other services are told of the account).`,
  load: async () => (await import("./create-admin.ts")).usersCreateAdmin,
};

const listSessions: Command = {
  name: "sessions list",
  usage: "LOGIN [--as NAME]",
  summary: "the open sessions of a user",
  about: `Lists the open sessions of a user, newest first: when each was opened and last refreshed, when it ends if it is not refreshed, and the device as it described itself.`,
  arguments: [login],
  options: { as },
  notes: actNotes,
  load: async () => (await import("./sessions.ts")).sessionsList,
};

const revokeSession: Command = {
  name: "sessions revoke",
  usage: "LOGIN SESSION [--reason TEXT] [--yes] [--as NAME]",
  summary: "ends one session of a user",
  about: "Ends one session of a user, at once and everywhere.",
  arguments: [login, ["<SESSION>", "the session's id, as sessions list shows it"]],
  options: { reason: reasonFor("SessionsRevoked"), yes, as },
  notes: actNotes,
  load: async () => (await import("./sessions.ts")).sessionsRevoke,
};

export const userCommands: readonly Command[] = [
  find,
  show,
  setRoles,
  ban,
  unban,
  unlock,
  remove,
  exportUser,
  resetPassword,
  revokeSessions,
  resetMfa,
  createAdmin,
  listSessions,
  revokeSession,
];
