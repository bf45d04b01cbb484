// A change that keeps no answer: what the fleet or authctl does by itself, and what is noted of a request that must not
// keep one. With its events, revocations and audit rows, in one statement like any commit; done twice, it is there
// twice.

import type { DataKeys } from "../crypto/envelope.ts";
import { uuidv7 } from "../crypto/ids.ts";
import { commitOnce } from "../db/commit.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { Clock } from "../lib/clock.ts";
import { auditRows } from "./audit-rows.ts";
import type { Change } from "./context.ts";
import { outboxRows } from "./outbox-rows.ts";

export interface CommitWithoutReplyDeps {
  pool: DatabasePool;
  clock: Clock;
  dataKeys(): DataKeys;
}

export interface CommitWithoutReplyOptions {
  /** For the audit: `ok`, or the code of a refusal. */
  outcome?: string;
  traceparent?: string | undefined;
}

/** @throws AU409 (db/faults.ts) where the world is not as the change demands, unique violations */
export async function commitWithoutReply(
  { pool, clock, dataKeys }: CommitWithoutReplyDeps,
  change: Change,
  { outcome = "ok", traceparent }: CommitWithoutReplyOptions = {},
): Promise<void> {
  const keys = dataKeys();
  const outbox = outboxRows(change, {
    call: { envelope: { traceparent } },
    now: clock.now(),
    uuid: () => uuidv7(clock),
    box: keys.box("outbox"),
  });
  const { user, writes = [] } = change;
  const audit = auditRows(outbox, { change, outcome, dataKeys: keys });
  await commitOnce(pool, { inbox: undefined, subject: user?.subject, writes, outbox, audit });
}
