// Follows the topic auth.key and publishes a key again where the topic's last record of it differs from the database. A
// record that was written late (by a relay that hung, or from an old copy) would be all that compaction leaves, and a
// fresh reader would accept a deleted key. Every relay follows; what one of them has repaired, the others find in
// order. States: reading (to the end that the topic had at the start) -> following -> stopped.
// stopped.

import { keyRecordsWait } from "../db/keys.ts";
import { shared } from "../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import { asError } from "../lib/errors.ts";
import { randomId } from "../lib/random-id.ts";
import { makeWakeUp } from "../lib/wake-up.ts";
import { isThumbprint, readKeyRecord } from "../protocol/fleet-cert.ts";
import { type KeyRepair, keyRepairs, keyTopic, type LastRecord } from "../protocol/key-records.ts";
import { pause } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";
import { fleetIds, type KeyDeps, keyTruth, repairKeys } from "./fleet-keys.ts";

export interface KeyTopicDeps {
  kafka: Pick<KafkaPort, "consume">;
  keys: KeyDeps;
  log: Logger;
  /** Counts the keys that were published again. */
  repaired(count: number): void;
}

/** Records that follow within this time are compared together. */
const gatherMs = 250;
/** Compares this often without a new record, for what changed while the database was away. */
const everyMs = 60_000;
/** Anybody with write access can invent keys; the fleet has some tens. */
const mostNames = 10_000;

/** @returns a function that stops it and waits for the comparison in progress */
export function followKeyTopic(parts: KeyTopicDeps): () => Promise<void> {
  const stopping = new AbortController();
  const last = new Map<string, LastRecord>();
  const wakeUp = makeWakeUp();

  const consumption: Consumption = parts.kafka.consume({
    group: `relay.keys.${randomId()}`,
    topics: [keyTopic],
    from: "earliest",
    assign: shared(() => ({})),
    onAssigned: () => undefined,
    onRecords(records) {
      for (const { key, value, timestamp } of records) {
        const kid = key?.toString("utf8") ?? "";
        if (!isThumbprint(kid)) continue;
        last.delete(kid); // set again below, so that the map is in the order of the last records
        last.set(kid, { body: readKeyRecord(value), at: timestamp });
        if (last.size > mostNames) last.delete(last.keys().next().value!);
      }
      wakeUp.wake();
    },
  });

  const working = (async () => {
    await consumption.joined;
    let before: KeyRepair[] = [];
    while (!stopping.signal.aborted) {
      await wakeUp.wait(before.length > 0 ? gatherMs : everyMs, stopping.signal);
      await pause(gatherMs, stopping.signal);
      if (stopping.signal.aborted) return;
      before = await round(parts, last, before).catch((error: unknown) => {
        parts.log.warn({ err: asError(error) }, "auth.key could not be compared with the database, tried again");
        return [];
      });
    }
  })();

  return async () => {
    stopping.abort();
    wakeUp.wake();
    await Promise.allSettled([working, consumption.close()]);
  };
}

/**
 * Repairs only what also differed in the comparison before: a change committed just now may not have come back from the
 * topic yet.
 * @returns what differs now
 */
async function round(
  { keys, log, repaired }: KeyTopicDeps,
  last: ReadonlyMap<string, LastRecord>,
  before: readonly KeyRepair[],
): Promise<KeyRepair[]> {
  const roots = new Set(await fleetIds(keys.pool));
  const found = keyRepairs(await keyTruth(keys.pool), last, roots);
  if (found.length === 0 || (await keyRecordsWait(keys.pool, keyTopic))) return found;
  const stays = found.filter(({ kid }) => before.some((each) => each.kid === kid));
  if (stays.length === 0) return found;
  await repairKeys(keys, stays);
  repaired(stays.length);
  log.warn(
    { kids: stays.map(({ kid }) => kid) },
    "auth.key had another last record of these keys than the database: written again",
  );
  return [];
}
