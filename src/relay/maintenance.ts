// Periodic clean-up: deletes expired inbox rows, challenges, links, records of mails, sessions, attempts, uses,
// devices, rows of dummy users and accounts that were never confirmed; drops old outbox and audit partitions; and mails
// postponed confirmation links. Any number of processes may run it; each step is safe to repeat.
import { reapAddressMails } from "../db/address-mails.ts";
import { reapAttempts, reapDevices } from "../db/attempts.ts";
import { maintainAuditPartitions } from "../db/audit.ts";
import { reapChallenges } from "../db/challenges.ts";
import { deleteDummyTokens } from "../db/dummy-user.ts";
import { reapInbox } from "../db/inbox.ts";
import { reapMails } from "../db/mails.ts";
import { reapTokens } from "../db/one-time-tokens.ts";
import { maintainOutboxPartitions } from "../db/outbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import { reapQuarantinedLogins } from "../db/quarantined-logins.ts";
import { reapSessions } from "../db/sessions.ts";
import { reapDecoys } from "../db/users.ts";
import { reapUses } from "../db/uses.ts";
import { asError } from "../lib/errors.ts";
import type { Logger } from "../runtime/log.ts";
import { purgeUnconfirmed, type UnconfirmedDeps } from "./unconfirmed.ts";
import { mailWhatWaits, type WaitingMailsDeps } from "./waiting-mails.ts";

const everyMs = 60_000;
const batch = 1000;
/** The platform deletes unconfirmed accounts after this time (topic check_verified). */
const platformTtlMs = 30 * 60_000;

export interface MaintenanceDeps extends UnconfirmedDeps, WaitingMailsDeps {
  log: Logger;
  auditRetentionMs: number;
  deviceTtlMs: number;
  /** How long ended sessions are kept. */
  sessionKeepMs: number;
}

/** @returns a function that stops it and waits for the current round */
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
  await maintainAuditPartitions(pool, parts.auditRetentionMs);
  for (const reap of [
    reapInbox,
    reapChallenges,
    reapTokens,
    reapMails,
    reapAttempts,
    reapUses,
    reapAddressMails,
    reapQuarantinedLogins,
    deleteDummyTokens,
  ])
    await inBatches(pool, reap);
  while ((await reapSessions(pool, parts.sessionKeepMs, batch)) >= batch);
  await inBatches(pool, (_, limit) => reapDevices(pool, { ttlMs: parts.deviceTtlMs, limit }));
  // When real unconfirmed accounts would be deleted; otherwise the login's release would reveal a decoy.
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
