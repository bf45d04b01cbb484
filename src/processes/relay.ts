// Builds the process `relay`: publishing the outbox, and maintenance.

import { startAuditChain } from "../audit/chain.ts";
import { parseSealingKey, sealFor } from "../bus/seal/seal.ts";
import { makeSender } from "../bus/sender.ts";
import type { Config } from "../config/read.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { Append } from "../kafka/broker-clock.ts";
import { type FleetKeys, type KeyDeps, rotateDueKeys } from "../keys/fleet-keys.ts";
import { followKeyTopic } from "../keys/key-topic.ts";
import { systemClock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { makeAppendTimes, markEveryMs } from "../relay/as-of.ts";
import { startMaintenance } from "../relay/maintenance.ts";
import { startRelay } from "../relay/relay.ts";
import type { Logger } from "../runtime/log.ts";
import { fleetMember } from "./fleet-report.ts";
import {
  brokerClockOf,
  codecOf,
  kafkaOf,
  keyDepsFor,
  keysOf,
  type ProcessContext,
  poolOf,
  type Running,
} from "./parts.ts";

export async function startRelayProcess(context: ProcessContext): Promise<Running> {
  const { config, log, metrics, lifecycle } = context;
  const { clock = systemClock } = context;
  const { broker, databaseTime } = brokerClockOf(context);
  const appends = makeAppendTimes(clock.monotonic);
  const appended = (append: Append): void => {
    broker.sample(append);
    appends.note(append);
  };
  const kafka = kafkaOf(config, "relay", log, { metrics, appended });
  lifecycle.onStop(() => kafka.close());
  const pool = await poolOf(context, "relay");
  const keys = await keysOf(context, pool);
  const codec = await codecOf(context, pool);
  const published = metrics.counter("auth_outbox_published_total", "Outbox rows published, by topic.", ["topic"]);
  const marked = metrics.gauge(
    "auth_revocation_as_of_seconds",
    "Unix time up to which every revocation is published, where this relay said so last.",
  );
  const relay = startRelay({
    pool,
    databaseUrl: config.AUTH_DATABASE_URL ?? "",
    sender: makeSender(kafka),
    codec,
    cipher: () => keys.dataKeys().cipher("outbox"),
    sealMail: mailSealer(config, keys),
    log,
    published: (rows) => {
      for (const row of rows) published.inc({ topic: row.topic });
    },
    asOf: {
      partitionsOf: (topic) => kafka.partitionsOf(topic),
      clock,
      appends,
      everyMs: markEveryMs(config.AUTH_VERIFIER_MAX_AGE),
      marked: (asOf) => marked.set(asOf / 1000),
      databaseTime,
    },
  });
  lifecycle.onStop(() => relay.stop());
  lifecycle.onStop(startChain(context, pool, keys));
  const maintenance = startMaintenance({
    pool,
    log,
    clock,
    ttlMs: config.AUTH_UNCONFIRMED_TTL,
    auditRetentionMs: config.AUTH_AUDIT_RETENTION,
    deviceTtlMs: config.AUTH_KNOWN_DEVICE_TTL,
    sessionKeepMs: config.AUTH_SESSION_KEEP,
    settings: {
      confirmTtlMs: config.AUTH_CONFIRM_TTL,
      legacyTopics: config.AUTH_LEGACY_TOPICS,
      mailLocale: config.AUTH_MAIL_LOCALE,
      mailsPerHour: config.AUTH_MAILS_PER_HOUR,
    },
    dataKeys: keys.dataKeys,
  });
  lifecycle.onStop(maintenance);
  const keyDeps = keyDepsFor(context, pool);
  lifecycle.onStop(startKeySchedule(keyDeps, log));
  const repairs = metrics.counter(
    "auth_key_repairs_total",
    "Keys written to auth.key again, because its last record was not the truth.",
  );
  lifecycle.onStop(followKeyTopic({ kafka, keys: keyDeps, log, repaired: (count) => repairs.inc({}, count) }));
  fleetMember(context, { kafka, processName: "relay" }).start(() => ({ state: relay.healthy ? "serving" : "away" }));
  return { ready: () => (relay.healthy ? [] : [{ name: "outbox", reason: "cannot be read or published" }]) };
}

function startChain(
  { config, log, metrics, clock }: ProcessContext,
  pool: DatabasePool,
  keys: FleetKeys,
): () => Promise<void> {
  const chained = metrics.counter("auth_audit_chained_total", "Rows of the audit that this relay has chained.");
  const waited = metrics.gauge("auth_audit_waited_seconds", "How long the oldest row of the last batch had waited.");
  return startAuditChain({
    pool,
    dataKeys: keys.dataKeys,
    keyring: keys.keyring,
    clock: clock ?? systemClock,
    headEveryMs: config.AUTH_AUDIT_HEAD_EVERY,
    log,
    chained(rows, waitedMs) {
      chained.inc({}, rows);
      waited.set(waitedMs / 1000);
    },
  });
}

/**
 * Any number of relays may run it; the lock on the keys admits one.
 * @returns a function that stops it and waits for the current round
 */
function startKeySchedule(parts: KeyDeps, log: Logger): () => Promise<void> {
  const everyMs = Math.min(60_000, parts.rules.publishAheadMs / 4);
  let round = Promise.resolve();
  const turn = async (): Promise<void> => {
    try {
      for (const line of await rotateDueKeys(parts)) log.info(line);
    } catch (error) {
      log.warn({ err: asError(error) }, "the schedule of keys could not be carried out, tried again");
    }
  };
  const timer = setInterval(() => {
    round = round.then(turn);
  }, everyMs);
  return () => {
    clearInterval(timer);
    return round;
  };
}

/** A mail is sealed to the fleet's own mailer, or, like a reply, to the one that AUTH_MAIL_SEAL_KEY names. */
function mailSealer({ AUTH_MAIL_SEAL_KEY: outside }: Config, keys: FleetKeys): (mail: object) => Promise<string> {
  if (outside !== undefined) {
    const key = parseSealingKey(JSON.stringify(outside));
    return (mail) => sealFor(mail, key);
  }
  return async (mail) => {
    const { kid, kty, crv, x, y } = keys.keyring().sealing();
    return sealFor(mail, { ...parseSealingKey(JSON.stringify({ kty, crv, x, y })), thumbprint: kid });
  };
}
