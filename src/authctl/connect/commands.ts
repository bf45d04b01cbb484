// How login and logout are called.
import type { Command } from "../command.ts";

const login: Command = {
  name: "login",
  usage: "[LOGIN]",
  summary: "logs an administrator in, for the commands that change something",
  about: `Logs in and stores the session, so that the commands on users, sessions and roles are carried out as this administrator, with the permissions of their roles. The session lasts like every other (AUTH_REFRESH_TTL, AUTH_REFRESH_IDLE), until logout, or until another login for the same fleet.`,
  arguments: [["[LOGIN]", "the administrator's login; asked for where it is not given"]],
  notes: `The password is asked for and not shown. Where the account has a second factor, a code of its authenticator app or a recovery code is asked for. Where standard input is no terminal, both are read from there: the password on the first line, a code on the second. A passkey needs a browser, which authctl is not: an administrator with no other factor uses a recovery code.

The session is stored in $XDG_STATE_HOME/authfleet (default ~/.local/state/authfleet), in a file for each fleet that only its owner can read. With --as NAME the commands act as an operator instead.`,
  load: async () => (await import("./login.ts")).login,
};

const logout: Command = {
  name: "logout",
  usage: "",
  summary: "ends the session of authctl login",
  about: "Ends the session that authctl login stored for this fleet, at the fleet and on this machine.",
  load: async () => (await import("./login.ts")).logout,
};

export const sessionCommands: readonly Command[] = [login, logout];
