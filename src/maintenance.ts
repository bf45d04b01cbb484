// What has to be swept up now and then: inbox rows whose time is over, outbox partitions of past days, audit partitions of past years, links
// and notes of mails from long ago, accounts that nobody confirmed. Any number may run; each step is safe to run twice.
import { turnAudit } from "./db/audit.ts";
import { reapInbox } from "./db/inbox.ts";
import { reapMails } from "./db/mails.ts";
import { reapTokens } from "./db/one-time-tokens.ts";
import { turnOutbox } from "./db/outbox.ts";
import type { DatabasePool } from "./db/pool.ts";
import { asError } from "./errors.ts";
import type { Logger } from "./log.ts";
import { purgeUnconfirmed, type UnconfirmedParts } from "./unconfirmed.ts";

const everyMs = 60_000;
const batch = 1000;

export interface MaintenanceParts extends UnconfirmedParts {
  log: Logger;
  auditRetentionMs: number;
}

/** @returns a function that stops it and waits for the round under way */
export function startMaintenance(parts: MaintenanceParts): () => Promise<void> {
  let round = Promise.resolve();
  const timer = setInterval(() => {
    round = sweep(parts).catch((error: unknown) =>
      parts.log.warn({ err: asError(error) }, "maintenance failed, tried again in a minute"),
    );
  }, everyMs);
  return () => {
    clearInterval(timer);
    return round;
  };
}

export async function sweep(parts: MaintenanceParts): Promise<void> {
  const { pool, log } = parts;
  await turnOutbox(pool);
  await turnAudit(pool, parts.auditRetentionMs);
  for (const reap of [reapInbox, reapTokens, reapMails]) await inBatches(pool, reap);
  const deleted = await purgeUnconfirmed(parts);
  if (deleted > 0) log.info({ deleted }, "accounts that nobody confirmed in time are deleted");
}

async function inBatches(pool: DatabasePool, reap: (pool: DatabasePool, limit: number) => Promise<number>) {
  while ((await reap(pool, batch)) === batch);
}
