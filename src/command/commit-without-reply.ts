// Commits a change that answers no request: what the fleet or authctl does on its own, and audit rows of requests whose
// answer must not be stored. Events, revocations and audit rows are written in one statement as usual, but there is no
// inbox row: running it twice does it twice.

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
  /** For the audit: `ok`, or a refusal's code. */
  outcome?: string;
  traceparent?: string | undefined;
}

/** @throws AU409 (db/faults.ts) where what the change demands is not so; unique violations */
export async function commitWithoutReply(
  { pool, clock, dataKeys }: CommitWithoutReplyDeps,
  change: Change,
  { outcome = "ok", traceparent }: CommitWithoutReplyOptions = {},
): Promise<void> {
  const keys = dataKeys();
  const outbox = outboxRows(change, {
    call: { headers: { traceparent } },
    now: clock.now(),
    uuid: () => uuidv7(clock),
    cipher: keys.cipher("outbox"),
  });
  const { user, writes = [] } = change;
  const audit = auditRows(outbox, { change, outcome, dataKeys: keys });
  await commitOnce(pool, { inbox: undefined, lock: user?.lock, writes, outbox, audit });
}
