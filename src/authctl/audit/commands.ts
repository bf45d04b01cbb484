// How the commands on the audit are called.
import { type Command, flag, valued } from "../command.ts";
import { defaultShowLimit, maxShowLimit } from "./limits.ts";

const verify: Command = {
  name: "audit verify",
  usage: "[--from TIME] [--to TIME] [--heads FILE] [--offline] | --state [--heads FILE] [--offline]",
  summary: "checks that the audit is as it was written; exit code 1 where it is not",
  about: `Computes the audit's chain again, row by row, and compares it with the signed heads: those in the database, and those on the topic auth.audit, which cannot be changed with access to the database alone. It names the first row that is wrong: changed, missing, inserted or moved, rows missing at the end, or a head that differs.`,
  options: {
    from: valued("TIME", "start at the last head before it (2025-11-01, 2025-11-01T12:00:00Z); default: the first row"),
    to: valued("TIME", "end with the last row chained by then; whether rows are missing after it is not checked"),
    heads: valued("FILE", "more heads, from any text that contains them, such as a relay's log; - is standard input"),
    offline: flag("leave the topic auth.audit out"),
    state: flag(
      "compare every account with its last audited events: password, confirmation, address, roles, ban, authenticator app, recovery codes, passkeys; and the permissions of roles, and the operators. Changes that were written to the database without the fleet are named, account by account. Sessions, links and attempts are not compared, nor accounts that were deleted that way",
    ),
  },
  notes: `It reads AUTH_DATABASE_URL itself, with AUTH_MASTER_KEY, and Kafka unless --offline is given. It needs no right to write.`,
  load: async () => (await import("./verify.ts")).auditVerify,
};

const show: Command = {
  name: "audit show",
  usage: "[--user LOGIN] [--actor ACTOR] [--since DURATION] [--limit N]",
  summary: "what happened, to whom and by whom",
  about: `Lists the newest rows of the audit, newest first: number, time, event, the user concerned, the actor, the outcome (ok, or why it was refused), and details. A new row appears when the relay has chained it, within a second.`,
  options: {
    user: valued("LOGIN", "only rows about this user; id:NUMBER also for one who is deleted"),
    actor: valued("ACTOR", "only rows by user:NUMBER, operator:NAME, service:NAME or anonymous"),
    since: valued("DURATION", "only rows of the last 30m, 12h, 7d ..."),
    limit: valued("N", `at most this many, 1 to ${maxShowLimit}; default ${defaultShowLimit}`),
  },
  notes: `Personal details can be read as long as their user exists: deleting the user deletes the key. It reads AUTH_DATABASE_URL itself, with AUTH_MASTER_KEY, and verifies nothing: see audit verify.`,
  load: async () => (await import("./show.ts")).auditShow,
};

export const auditCommands: readonly Command[] = [verify, show];
