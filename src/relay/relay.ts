// The relay publishes outbox rows to their topics. It listens for notifications and also polls, in case one is lost. A
// row is marked once the broker has it, so an event may be published twice (with the same eventId) and is never lost.
// The events of one user are published in order, however many relays run (db/outbox.ts). Once a second the relay also
// marks auth.revocation with the time up to which everything is published (as-of.ts).
import pg from "pg";
import type { Codec } from "../bus/avro/codec.ts";
import type { Sender } from "../bus/sender.ts";
import type { DataCipher } from "../crypto/envelope.ts";
import { outboxChannel, publishShards, type StoredOutboxRow, shards } from "../db/outbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { OutRecord } from "../kafka/records.ts";
import { readDatabaseAddress } from "../lib/database-address.ts";
import { asError } from "../lib/errors.ts";
import { makeWakeUp } from "../lib/wake-up.ts";
import { eventSchemas } from "../protocol/generated/schemas.ts";
import { pause } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";
import { type AsOfDeps, startAsOf } from "./as-of.ts";

export interface RelayDeps {
  pool: DatabasePool;
  databaseUrl: string;
  sender: Sender;
  codec: Codec;
  /** Decrypts the secrets of outbox rows. */
  cipher(): DataCipher;
  /** Seals a mail. @param mail all its fields */
  sealMail(mail: object): Promise<string>;
  log: Logger;
  published(rows: readonly StoredOutboxRow[]): void;
  /** For the marks in auth.revocation. */
  asOf: Omit<AsOfDeps, "pool" | "sender" | "log">;
}

export interface Relay {
  /** Whether the last poll of the outbox succeeded. */
  readonly healthy: boolean;
  stop(): Promise<void>;
}

const idleMs = 200;
/**
 * Waits this long after a poll to collect more rows: five statements and a produce cost the same for one event as for
 * many.
 */
const gatherMs = 10;
const batch = 500;

export function startRelay(parts: RelayDeps): Relay {
  const stopping = new AbortController();
  const wakeUp = makeWakeUp();
  let healthy = false;
  const listening = listen(parts, wakeUp.wake, stopping.signal);
  const { pool, sender, log } = parts;
  const stopAsOf = startAsOf({ ...parts.asOf, pool, sender, log });
  const working = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        const more = await publishShards(parts.pool, { take: shards / 2, limit: batch }, (found) =>
          publish(parts, found),
        );
        healthy = true;
        failures = 0;
        if (more) continue;
        await pause(gatherMs, stopping.signal);
        await wakeUp.wait(idleMs, stopping.signal);
      } catch (error) {
        healthy = false;
        failures += 1;
        parts.log.warn({ err: asError(error), failures }, "outbox could not be published, tried again");
        await pause(Math.min(100 * 2 ** failures, 3000), stopping.signal);
      }
    }
  })();
  return {
    get healthy() {
      return healthy && !stopping.signal.aborted;
    },
    async stop() {
      stopping.abort();
      wakeUp.wake();
      await Promise.allSettled([working, listening, stopAsOf()]);
    },
  };
}

async function publish(parts: RelayDeps, rows: readonly StoredOutboxRow[]): Promise<void> {
  const records = await Promise.all(rows.map((row) => outRecord(parts, row)));
  await Promise.all(records.map((record) => parts.sender.send(record)));
  parts.published(rows);
}

async function outRecord(parts: RelayDeps, row: StoredOutboxRow): Promise<OutRecord> {
  const secret =
    row.secret === null ? {} : (JSON.parse(parts.cipher().decrypt(row.secret, row.eventId).toString("utf8")) as object);
  const trace = row.traceparent === null ? {} : { traceparent: row.traceparent };
  const base = { topic: row.topic, key: Buffer.from(row.key) };
  if (row.kind === "json") {
    return {
      ...base,
      value: Buffer.from(JSON.stringify({ ...row.body, ...secret })),
      headers: { ...trace, "auth-event-id": row.eventId },
    };
  }
  if (row.kind === "mail")
    return { ...base, ...(await mailValue(parts, row, secret)), headers: { ...trace, "auth-event-id": row.eventId } };
  return { ...base, value: eventValue(parts.codec, row), headers: { ...trace, ...cloudEvent(row) } };
}

function eventValue(codec: Codec, row: StoredOutboxRow): Buffer {
  const { eventId, userId, sequence, actor, traceparent } = row;
  if (!Object.hasOwn(eventSchemas, row.kind))
    throw new Error(`there is no event ${row.kind}: this relay is older than the worker`);
  return codec.encode(`auth.event.${row.kind}`, { ...row.body, eventId, userId, sequence, actor, traceparent });
}

async function mailValue(parts: RelayDeps, row: StoredOutboxRow, secret: object): Promise<{ value: Buffer }> {
  const { to, sealed } = secret as { to: string; sealed: object };
  // All fields are in the seal too: otherwise whoever can write to auth.mail could combine a seal with their own
  // address.
  const mail = { ...row.body, to, mailId: row.eventId };
  return { value: parts.codec.encode("auth.Mail", { ...mail, sealed: await parts.sealMail({ ...sealed, ...mail }) }) };
}

/** CloudEvents 1.0.2, Kafka protocol binding, section 3.2 (binary mode). */
function cloudEvent(row: StoredOutboxRow): Record<string, string> {
  return {
    ce_specversion: "1.0",
    ce_id: row.eventId,
    ce_type: `auth.event.${row.kind}`,
    ce_source: "auth",
    ce_time: new Date(row.body["at"] as number).toISOString(),
    ce_subject: row.key,
    "content-type": "application/vnd.confluent.avro",
  };
}

/** Listens on a connection of its own; while it is down the relay polls. */
async function listen(parts: RelayDeps, wake: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { host, port, user, password, database, tls, options } = readDatabaseAddress(parts.databaseUrl);
    const client = new pg.Client({
      ...{ host, port, user, password, database, options, ssl: tls ?? false },
      connectionTimeoutMillis: 3000,
      application_name: "authfleet relay listen",
    });
    const lost = new Promise<void>((resolve) => {
      client.on("error", () => resolve());
      client.on("end", () => resolve());
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    try {
      await client.connect();
      client.on("notification", wake);
      await client.query(`LISTEN ${outboxChannel}`);
      await lost;
    } catch (error) {
      parts.log.debug({ err: asError(error) }, "cannot listen, tried again");
    }
    await client.end().catch(() => undefined);
    await pause(1000, signal);
  }
}
