// How import is called.
import { type Command, flag, repeated, valued } from "../command.ts";
import { mappable } from "./fields.ts";

export const importUsers: Command = {
  name: "import",
  usage:
    "[FILE] [--dry-run] [--again] [--rejects FILE] [--table NAME] [--column OURS=THEIRS ...] [--role THEIRS=OURS ...] [--events] [--as NAME]",
  summary: "users of another service, from its table or from JSON lines",
  about: `Without FILE it reads the table of the old service, in the database that DATABASE_URL names, or POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB (or DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME).`,
  arguments: [["[FILE]", "one JSON object a line; - is standard input"]],
  options: {
    "dry-run": flag("read, check and count everything, and write nothing but the file of rejects"),
    again: flag(
      "read all rows again instead of continuing where the last run ended: imports rows that were repaired since. Users who are imported already stay as they are, and users who were deleted here since stay deleted",
    ),
    rejects: valued(
      "FILE",
      "where rejected rows go, as JSON lines with the reason and without hashes; default import-rejects.jsonl (import-rejects.dry-run.jsonl)",
    ),
    table: valued("NAME", "the old service's table, with its schema where that is not public; default auth"),
    column: repeated(
      "OURS=THEIRS",
      `the name of a column, where it is not a usual one; OURS is ${mappable.join(", ")}`,
    ),
    role: repeated(
      "THEIRS=OURS",
      "the role that a role of theirs becomes; THEIRS= for none. By default user becomes none and all others keep their names",
    ),
    events: flag("publish UserRegistered for each user; by default nothing is published, because their profiles exist"),
    as: valued(
      "NAME",
      "who does it: operator:NAME in events and in the table imports; default: the system's user name",
    ),
  },
  notes: `Ids are kept, and new ones begin above them: let no user register before. is_active=false becomes banned, is_verified becomes confirmed. Users log in with the passwords they had, hashed by Argon2, bcrypt, scrypt or PBKDF2, and get an Argon2id hash at that login.

After Ctrl-C, a crash or kill -9, the same command continues where the run ended. The exit code is 1 where rows were rejected, or where the run was stopped. The audit records who imported what, and how many (ImportStarted, ImportEnded).

It needs AUTH_DATABASE_URL and, except for a dry run, AUTH_MASTER_KEY; and AUTH_KAFKA_BROKERS with them, which tells authctl to use the AUTH_ environment and not \`npm start\`.`,
  load: async () => (await import("./import.ts")).importUsers,
};
