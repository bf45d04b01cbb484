// A worker's claim on its commands. The worker only starts if no other group serves one of them (db/serving.ts), renews
// its rows while it runs and deletes them after it has stopped serving. Two groups with one command would both carry
// out each of its requests.

import { isTransient } from "../db/faults.ts";
import type { DatabasePool } from "../db/pool.ts";
import { type Claim, claimCommands, releaseCommands, renewCommands, type ServingRow } from "../db/serving.ts";
import { asError } from "../lib/errors.ts";
import { settledWithin } from "../lib/timeout.ts";
import { untilAnswered } from "../runtime/lifecycle.ts";
import type { ProcessContext } from "./parts.ts";

/** A third of the rows' lifetime: two renewals may fail. */
const renewEveryMs = 10_000;
/** Stopping does not wait longer for a database that is down: the rows expire. */
const releaseMs = 2000;

/** Call it before the consumer starts, so that the rows outlive it. @throws Error that names the other group */
export async function holdCommands(
  { log, lifecycle }: Pick<ProcessContext, "log" | "lifecycle">,
  pool: DatabasePool,
  { everyMs = renewEveryMs, ...claim }: Claim & { everyMs?: number },
): Promise<void> {
  const patience = { what: "PostgreSQL", isTransient, log, signal: lifecycle.stopping };
  const others = await untilAnswered(() => claimCommands(pool, claim), patience);
  if (others.length > 0) throw new Error(refusal(others, claim.group));
  let beside = "";
  let renewing = Promise.resolve();
  const renew = async (): Promise<void> => {
    try {
      const groups = (await renewCommands(pool, claim)).join(", ");
      if (groups !== "" && groups !== beside)
        log.error(
          { groups },
          "another group serves commands of this worker too, since its claim had lapsed: stop one of the two",
        );
      beside = groups;
    } catch (error) {
      log.warn({ err: asError(error) }, "the claim on the commands could not be renewed, tried again");
    }
  };
  const timer = setInterval(() => {
    renewing = renewing.then(renew);
  }, everyMs);
  lifecycle.onStop(async () => {
    clearInterval(timer);
    await settledWithin(releaseMs, async () => {
      await renewing; // a renewal in progress would write them again
      await releaseCommands(pool, claim);
    });
  });
}

function refusal(rows: readonly ServingRow[], group: string): string {
  const first = rows[0]!;
  const commands = [...new Set(rows.filter((row) => row.group === first.group).map(({ command }) => command))];
  const named = `${commands.slice(0, 3).join(", ")}${commands.length > 3 ? ` and ${commands.length - 3} more` : ""}`;
  return `The group ${first.group} (${first.process}) serves ${named} already, and this worker is of the group ${group}: give both the same AUTH_GROUP, or let AUTH_TOPICS of one leave out what the other serves. A group whose workers were killed holds its commands for up to 30 s.`;
}
