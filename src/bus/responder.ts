// The worker's side of the bus: request records -> mailboxes -> execute -> replies -> offsets -> offset commits.
// - The consumer hands records over and returns, so a slow handler holds up neither fetches nor heartbeats.
// - An offset moves when the broker has acknowledged the reply, or when the reply can never arrive (replies.ts). While
//   brokers are away it waits; after a stop the partition's next owner reads the record again.
// - Offsets are committed on a timer, and nothing waits for them (measured: awaiting each batch's commit makes 6.5 ms
//   of a 1.3 ms round trip).
// - A partition is assigned -> (running <-> paused) -> lost. Of a lost one, what is queued is dropped and what runs
//   ends.

import { isUtf8 } from "node:buffer";
import { shared } from "../kafka/assigner.ts";
import type { Consumption, KafkaPort } from "../kafka/kafka.ts";
import {
  type Assignment,
  type InRecord,
  type OutRecord,
  partitionKey,
  type TopicPartition,
  type UnreadableRecords,
} from "../kafka/records.ts";
import type { Logger } from "../runtime/log.ts";
import { readTrace } from "../runtime/tracing.ts";
import { type AssignedPartition, lagOf, makeAssignedPartitions } from "./assigned-partitions.ts";
import type { Codec } from "./avro/codec.ts";
import { loadOf, makeBackPressure, smallFetch } from "./back-pressure.ts";
import type { BusCommand, Call, HeldDevice } from "./command.ts";
import { deadLetter, unreadableLetter } from "./dead-letter.ts";
import type { DeadLetterReason, DeadLetters } from "./dead-letter-sender.ts";
import { type Execute, encodeRefusal } from "./execute.ts";
import { type Envelope, readHeaders, replyHeaders } from "./headers.ts";
import { makeMailboxes } from "./mailbox.ts";
import type { BusProtocol } from "./names.ts";
import { refuse } from "./refusals.ts";
import type { Replies } from "./replies.ts";

export interface ResponderDeps {
  protocol: BusProtocol;
  kafka: KafkaPort;
  commands: BusCommand[];
  group: string;
  mailboxLimit: number;
  /** Of a record key. */
  maxKeyBytes: number;
  allowedReplyTopics: RegExp;
  codec: Codec;
  execute: Execute;
  /**
   * What the token in the header device says, where it holds for this record key at this time (Unix ms); undefined for
   * any other text.
   */
  deviceOf(token: string, at: { recordKey: string; at: number }): HeldDevice | undefined;
  replies: Replies;
  deadLetters: DeadLetters;
  log: Logger;
  /** Unix ms by the broker's clock: what requests' times count by. */
  now(): number;
  monotonic(): number;
  /** Called once per request with its outcome (`ok`, a code, or `dead-letter`) and the ms since the broker took it. */
  observe(topic: string, outcome: string, ms: number): void;
}

export interface RequestConsumer {
  /** Resolves at the first assignment. */
  joined: Promise<void>;
  readonly healthy: boolean;
  /** Requests taken and not finished. */
  readonly inFlight: number;
  /** Mailboxes that hold something. */
  readonly mailboxes: number;
  /** Partitions this worker holds, by topic. */
  held(): Record<string, number[]>;
  /** Records of a topic's partitions held that are not finished, as of the last fetch. */
  lag(): Map<string, number>;
  /** Begins nothing new, waits up to drainMs for what runs, commits, leaves the group. */
  close(drainMs: number): Promise<void>;
}

const commitEveryMs = 100;

export function consumeRequests(parts: ResponderDeps): RequestConsumer {
  const commands = new Map(parts.commands.map((command) => [command.topic, command]));
  const { names } = parts.protocol;
  const letterAt = () => ({ now: parts.now(), deadLetters: names.deadLetters });
  const mailboxes = makeMailboxes(parts.mailboxLimit);
  const stopping = new AbortController();
  const assigned = makeAssignedPartitions({
    commit: (offsets) => consumption.commit(offsets),
    everyMs: commitEveryMs,
    failed: (error) => parts.log.debug({ err: error }, "commit failed, tried again with the next"),
  });
  const pressure = makeBackPressure({ assigned: () => assigned.all(), consumption: () => consumption });
  let draining = false;
  let running = 0;

  const onAssigned = (assignment: Assignment): void => {
    assigned.assign(assignment);
    for (const each of assigned.all()) if (each.paused || draining) consumption.pause(each);
  };

  const onRecords = (records: InRecord[], partition: TopicPartition, end: bigint): void => {
    const owner = assigned.receive(partition, end);
    const command = commands.get(partition.topic);
    if (owner === undefined || command === undefined || draining) return;
    owner.redeliveredBelow ??= end;
    const taken = records.filter(({ offset }) => owner.offsets.add(offset));
    for (const record of taken) take(record, command, owner);
    pressure.taken(
      owner,
      taken.reduce((load, record) => load + loadOf(record), 0),
    );
  };

  const onUnreadable = (records: UnreadableRecords, end: bigint): void => {
    const owner = assigned.receive(records, end);
    if (owner === undefined || draining || !owner.offsets.add(records.last)) return;
    const { topic, partition, last: offset, timestamp } = records;
    const place = { topic, partition, offset, timestamp, key: null, value: null, headers: {} };
    const work = async () => {
      await sendToDeadLetters(unreadableLetter(records, letterAt()), "unreadable", partitionKey(place));
      return "unreadable";
    };
    void settle(place, owner, work);
    pressure.taken(owner, 1);
  };

  const take = (record: InRecord, command: BusCommand, owner: AssignedPartition): void => {
    const envelope = readHeaders(record, { names, allowedReplyTopics: parts.allowedReplyTopics });
    if ("fault" in envelope) {
      void settle(record, owner, () => refuseHeaders(record, command, envelope));
      return;
    }
    if (!isServable(record.key, parts.maxKeyBytes)) {
      void settle(record, owner, () => refuseKey(record, command, envelope));
      return;
    }
    const origin = parts.now() - parts.monotonic();
    const deadline = envelope.deadline - origin;
    const device = heldDevice(record, envelope);
    const taken = { topic: record.topic, envelope, recordedAt: record.timestamp, deadline };
    const call: Call = device === undefined ? taken : { ...taken, device };
    const { key, bound } = mailboxOf(record, command, parts.mailboxLimit);
    const work = () => settle(record, owner, () => serve(record, command, call, owner));
    const queued = mailboxes.push(key, work, { bound, device: device !== undefined });
    if (!queued) void settle(record, owner, () => throttle(record, command, call));
  };

  /** At the record's broker time, so that a redelivery is treated as the first delivery was. */
  const heldDevice = ({ key, timestamp }: InRecord, { device }: Envelope): HeldDevice | undefined =>
    device === undefined || key === null || key.length === 0
      ? undefined
      : parts.deviceOf(device, { recordKey: key.toString("utf8"), at: timestamp });

  /** Does the work unless the partition was lost, then finishes the offset. Never rejects. */
  const settle = async (record: InRecord, owner: AssignedPartition, work: () => Promise<string>): Promise<void> => {
    if (owner.lost || draining) return releasePressure(record, owner);
    running += 1;
    try {
      const outcome = await work();
      parts.observe(record.topic, outcome, parts.now() - record.timestamp);
      owner.offsets.finish(record.offset);
    } catch (error) {
      // Only a stop ends here: the reply was not acknowledged, so the record stays unfinished and is read again by the
      // next owner.
      parts.log.warn(
        { err: error, topic: record.topic, offset: String(record.offset) },
        "request is left for the next owner",
      );
    } finally {
      running -= 1;
      releasePressure(record, owner);
    }
  };

  const releasePressure = (record: InRecord, owner: AssignedPartition): void => {
    if (!draining) pressure.left(owner, loadOf(record));
  };

  const serve = async (
    record: InRecord,
    command: BusCommand,
    call: Call,
    owner: AssignedPartition,
  ): Promise<string> => {
    if (!(await destinationKnown(call.envelope))) {
      const { topic, partition } = call.envelope.reply;
      parts.log.warn(
        { topic: record.topic, replyTopic: topic, replyPartition: partition },
        "no work for a reply that cannot arrive",
      );
      return "unknown-destination";
    }
    const redelivered = owner.redeliveredBelow !== undefined && record.offset < owner.redeliveredBelow;
    const done = await parts.execute(record, command, call, redelivered);
    if (done.deadLetterReason !== undefined)
      await sendToDeadLetters(
        deadLetter(record, { error: done.deadLetterReason, ...letterAt() }),
        "internal",
        call.envelope.reply.topic,
      );
    await parts.replies.send(done.reply, stopping.signal);
    return done.outcome;
  };

  /** A broker that cannot be asked is no reason to refuse work: the reply itself waits for it. */
  const destinationKnown = (envelope: Envelope): Promise<boolean> =>
    parts.replies.reachable(envelope.reply).catch(() => true);

  const refuseHeaders = async (
    record: InRecord,
    command: BusCommand,
    { fault, header, address }: Exclude<ReturnType<typeof readHeaders>, Envelope>,
  ) => {
    const message = header === "" ? fault : `header ${header}: ${fault}`;
    if (address === undefined) {
      await sendToDeadLetters(
        deadLetter(record, { error: message, ...letterAt() }),
        "no-reply-address",
        partitionKey(record),
      );
      return "dead-letter";
    }
    const refusal = refuse("INVALID_INPUT", { message, details: header === "" ? {} : { header } });
    const { code, bytes } = encodeRefusal(parts, command, refusal);
    const headers = replyHeaders(address, { ...readTrace(record), outcome: code, names });
    await parts.replies.send(replyRecord(record, bytes, address, headers), stopping.signal);
    return code;
  };

  /** A key of a megabyte would be copied and hashed again on its way back, so the reply goes without one. */
  const refuseKey = async (record: InRecord, command: BusCommand, envelope: Envelope): Promise<string> => {
    const message = `key: must be UTF-8, of at most ${parts.maxKeyBytes} bytes`;
    const refusal = refuse("INVALID_INPUT", { message, details: { field: "key" } });
    const { code, bytes } = encodeRefusal(parts, command, refusal);
    const headers = replyHeaders(envelope.reply, { ...envelope, outcome: code, names });
    await parts.replies.send({ ...replyRecord(record, bytes, envelope.reply, headers), key: null }, stopping.signal);
    return code;
  };

  const sendToDeadLetters = (record: OutRecord, reason: DeadLetterReason, requester: string): Promise<void> =>
    parts.deadLetters.send({ record, reason, requester }, stopping.signal);

  const throttle = async (record: InRecord, command: BusCommand, { envelope }: Call): Promise<string> => {
    const refusal = refuse("THROTTLED", { retryAfterMs: 1000 });
    const { code, bytes } = encodeRefusal(parts, command, refusal);
    const headers = replyHeaders(envelope.reply, { ...envelope, outcome: code, names });
    await parts.replies.send(replyRecord(record, bytes, envelope.reply, headers), stopping.signal);
    return code;
  };

  const consumption: Consumption = parts.kafka.consume({
    group: parts.group,
    topics: [...commands.keys()],
    from: "earliest",
    fetch: smallFetch,
    assign: shared(() => assigned.byTopic()),
    onAssigned,
    onRecords,
    onUnreadable,
  });

  return {
    joined: consumption.joined,
    get healthy() {
      return consumption.healthy;
    },
    get inFlight() {
      return mailboxes.size;
    },
    get mailboxes() {
      return mailboxes.keys;
    },
    held: () => assigned.byTopic(),
    lag() {
      const lag = new Map<string, number>();
      for (const each of assigned.all()) lag.set(each.topic, (lag.get(each.topic) ?? 0) + lagOf(each));
      return lag;
    },
    async close(drainMs) {
      draining = true;
      for (const each of assigned.all()) consumption.pause(each);
      const end = parts.monotonic() + drainMs;
      while (running > 0 && parts.monotonic() < end) await new Promise((resolve) => setTimeout(resolve, 10));
      stopping.abort();
      assigned.stop();
      await assigned.commit().catch((error: unknown) => parts.log.warn({ err: error }, "last commit failed"));
      await consumption.close();
    },
  };
}

function isServable(key: Buffer | null, maxBytes: number): boolean {
  return key === null || (key.length <= maxBytes && isUtf8(key));
}

/**
 * Same key, same mailbox, whichever command. Where any key will do nothing has to wait for anything else. Records
 * without a key share one mailbox per partition; it is bounded by the partition's own mark, because they are not one
 * account's.
 */
function mailboxOf(record: InRecord, command: BusCommand, limit: number): { key: string; bound: number } {
  const { topic, partition, offset, key } = record;
  if (command.keyKind === "any") return { key: `any:${topic}/${partition}/${offset}`, bound: limit };
  if (key === null || key.length === 0)
    return { key: `partition:${partitionKey(record)}`, bound: Number.POSITIVE_INFINITY };
  return { key: `${command.keyKind}:${key.toString("utf8")}`, bound: limit };
}

function replyRecord(
  record: InRecord,
  value: Buffer,
  address: Envelope["reply"],
  headers: OutRecord["headers"],
): OutRecord {
  return {
    topic: address.topic,
    ...(address.partition !== undefined && { partition: address.partition }),
    key: record.key,
    value,
    headers,
  };
}
