// Reads events: every event of auth.event, typed, in order per user, at least once. The processes of a service share
// the work as a consumer group and continue where they were. If the reader fails, it gets the same event again with
// growing pauses; other users' events continue.
import { type Codec, CodecFault } from "../bus/avro/codec.ts";
import { follow } from "../bus/partition-consumer.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { InRecord } from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { retry } from "../lib/retry.ts";
import { type Events, eventSchemas } from "../protocol/generated/schemas.ts";
import type { Logger } from "../runtime/log.ts";

/** An event: its name and fields. */
export type AuthEvent = { [Name in keyof Events]: { name: Name } & Events[Name] }[keyof Events];

export interface EventsOptions {
  /** Consumer group; a new one begins with the oldest event (7 days). Default: `<name of the service>.events`. */
  group?: string;
  /** Names of events to read; default all. */
  only?: (keyof Events)[];
}

export interface EventReader {
  /** Resolves at the first assignment; rejects if it is closed before. */
  ready: Promise<void>;
  readonly healthy: boolean;
  /** Stops taking events, waits up to drainMs (5,000) for those taken, and leaves the rest to the next owner. */
  close(drainMs?: number): Promise<void>;
}

export interface EventDeps {
  kafka: KafkaPort;
  codec: Codec;
  group: string;
  log: Logger;
}

const topic = "auth.event";
const pauses = { firstMs: 100, longestMs: 5000 };
const defaultDrainMs = 5000;

/**
 * @param read called once per event, and again if it rejects. eventId identifies a repetition; sequence numbers a
 *   user's events without gaps.
 */
export function readEvents(
  { kafka, codec, group, log }: EventDeps,
  read: (event: AuthEvent) => Promise<void>,
  only?: (keyof Events)[],
): EventReader {
  const wanted = only && new Set<string>(only);

  const decoded = async (record: InRecord): Promise<AuthEvent | undefined> => {
    const name = nameOf(record);
    if (name === undefined || (wanted !== undefined && !wanted.has(name))) return undefined;
    return { name, ...(await codec.decode(`auth.event.${name}`, record.value)) } as AuthEvent;
  };

  const work = async (record: InRecord, stopping: AbortSignal): Promise<void> => {
    const place = { partition: record.partition, offset: String(record.offset) };
    try {
      await retry(
        async () => {
          const event = await decoded(record);
          if (event !== undefined) await read(event);
        },
        {
          ...pauses,
          isTransient: (error) => !isForeign(error),
          signal: stopping,
          onRetry: (error, pause) =>
            log.warn({ err: asError(error), pause, ...place }, "an event could not be read, tried again"),
        },
      );
    } catch (error) {
      if (stopping.aborted || !isForeign(error)) throw error;
      log.error({ err: asError(error), ...place }, "what is no event of the fleet is passed over");
    }
  };

  const keyOf = ({ key, partition }: InRecord): string => key?.toString("utf8") ?? `partition:${partition}`;
  const following = follow({ kafka, group, topics: [topic], keyOf, work, log });
  return {
    ready: following.joined,
    get healthy() {
      return following.healthy;
    },
    close: (drainMs = defaultDrainMs) => following.close(drainMs),
  };
}

/** By its CloudEvents type; undefined for a type that this version does not know. */
function nameOf({ headers }: InRecord): keyof Events | undefined {
  const name = String(headers["ce_type"] ?? "").replace(/^auth\.event\./, "");
  return Object.hasOwn(eventSchemas, name) ? (name as keyof Events) : undefined;
}

/** Bytes that cannot be read later either, unlike with a registry that is down. */
const isForeign = (error: unknown): boolean => error instanceof CodecFault && error.kind !== "unreachable";
