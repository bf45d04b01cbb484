// What has to be swept up now and then: inbox rows whose time is over, outbox partitions of past days, audit partitions of past years. Any number may run; each step
// is safe to run twice.
import { turnAudit } from "./db/audit.ts";
import { reapInbox } from "./db/inbox.ts";
import { turnOutbox } from "./db/outbox.ts";
import type { DatabasePool } from "./db/pool.ts";
import { asError } from "./errors.ts";
import type { Logger } from "./log.ts";

const everyMs = 60_000;
const batch = 1000;

/** @returns a function that stops it and waits for the round under way */
export function startMaintenance(
  pool: DatabasePool,
  log: Logger,
  { auditRetentionMs }: { auditRetentionMs: number },
): () => Promise<void> {
  let round = Promise.resolve();
  const timer = setInterval(() => {
    round = sweep(pool, auditRetentionMs).catch((error: unknown) =>
      log.warn({ err: asError(error) }, "maintenance failed, tried again in a minute"),
    );
  }, everyMs);
  return () => {
    clearInterval(timer);
    return round;
  };
}

async function sweep(pool: DatabasePool, auditRetentionMs: number): Promise<void> {
  await turnOutbox(pool);
  await turnAudit(pool, auditRetentionMs);
  while ((await reapInbox(pool, batch)) === batch);
}
