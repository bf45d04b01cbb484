// What has to be swept up now and then: inbox rows and challenges whose time is over, outbox partitions of past days,
// audit partitions of past years, links and notes of mails from long ago, sessions that have been over for long,
// attempts, uses and devices that count no more, what was written for nobody, accounts that nobody confirmed; and
// confirmation mails that were held back go out. Any number may run; each step is safe to run twice.
import { reapAddressMails } from "../db/address-mails.ts";
import { reapAttempts, reapDevices } from "../db/attempts.ts";
import { turnAudit } from "../db/audit.ts";
import { reapChallenges } from "../db/challenges.ts";
import { deleteDummyTokens } from "../db/dummy-user.ts";
import { reapGivenUpLogins } from "../db/given-up-logins.ts";
import { reapInbox } from "../db/inbox.ts";
import { reapMails } from "../db/mails.ts";
import { reapTokens } from "../db/one-time-tokens.ts";
import { maintainOutboxPartitions } from "../db/outbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import { reapSessions } from "../db/sessions.ts";
import { reapDecoys } from "../db/users.ts";
import { reapUses } from "../db/uses.ts";
import { asError } from "../lib/errors.ts";
import type { Logger } from "../runtime/log.ts";
import { purgeUnconfirmed, type UnconfirmedDeps } from "./unconfirmed.ts";
import { mailWhatWaits, type WaitingMailsDeps } from "./waiting-mails.ts";

const everyMs = 60_000;
const batch = 1000;
/** After so long the platform has an account deleted that nobody has confirmed (its topic check_verified). */
const platformTtlMs = 30 * 60_000;

export interface MaintenanceDeps extends UnconfirmedDeps, WaitingMailsDeps {
  log: Logger;
  auditRetentionMs: number;
  deviceTtlMs: number;
  /** How long sessions that are over are kept. */
  sessionKeepMs: number;
}

/** @returns a function that stops it and waits for the round under way */
export function startMaintenance(parts: MaintenanceDeps): () => Promise<void> {
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

export async function sweep(parts: MaintenanceDeps): Promise<void> {
  const { pool, log } = parts;
  await maintainOutboxPartitions(pool);
  await turnAudit(pool, parts.auditRetentionMs);
  for (const reap of [
    reapInbox,
    reapChallenges,
    reapTokens,
    reapMails,
    reapAttempts,
    reapUses,
    reapAddressMails,
    reapGivenUpLogins,
    deleteDummyTokens,
  ])
    await inBatches(pool, reap);
  while ((await reapSessions(pool, parts.sessionKeepMs, batch)) >= batch);
  await inBatches(pool, (_, limit) => reapDevices(pool, { ttlMs: parts.deviceTtlMs, limit }));
  // When the accounts go that they are taken for, or the login's being free again would tell.
  const decoyTtlMs = parts.settings.legacyTopics ? Math.min(platformTtlMs, parts.ttlMs) : parts.ttlMs;
  await inBatches(pool, (_, limit) => reapDecoys(pool, { ttlMs: decoyTtlMs, limit }));
  const mailed = await mailWhatWaits(parts);
  if (mailed > 0) log.info({ mailed }, "confirmation mails that were held back went out");
  const deleted = await purgeUnconfirmed(parts);
  if (deleted > 0) log.info({ deleted }, "accounts that nobody confirmed are deleted");
}

async function inBatches(pool: DatabasePool, reap: (pool: DatabasePool, limit: number) => Promise<number>) {
  while ((await reap(pool, batch)) === batch);
}
