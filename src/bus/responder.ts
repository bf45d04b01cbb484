// The worker's side of the bus: request records -> mailboxes -> execute -> replies -> offsets (partition-consumer.ts).
// - An offset moves when the broker has acknowledged the reply, or when the reply can never arrive (replies.ts). While
//   brokers are away it waits; after a stop the partition's next owner reads the record again.
// - Offsets are committed on a timer, and nothing waits for them (measured: awaiting each batch's commit makes 6.5 ms
//   of a 1.3 ms round trip).
// It does not know what a request contains: it only refuses by headers, key and mailbox.

import { isUtf8 } from "node:buffer";
import type { KafkaPort } from "../kafka/kafka.ts";
import { type InRecord, type OutRecord, partitionKey, type UnreadableRecords } from "../kafka/records.ts";
import type { AnyRefusal } from "../lib/refusal.ts";
import type { Logger } from "../runtime/log.ts";
import { readTrace } from "../runtime/tracing.ts";
import { type AssignedPartition, lagOf } from "./assigned-partitions.ts";
import type { Codec } from "./avro/codec.ts";
import type { BusCommand, Call, VerifiedDevice } from "./command.ts";
import { deadLetter, unreadableLetter } from "./dead-letter.ts";
import type { DeadLetterReason, DeadLetters } from "./dead-letter-sender.ts";
import { type Caller, type Execute, refusalReply } from "./execute.ts";
import { type HeaderFault, type RequestHeaders, readHeaders } from "./headers.ts";
import { type Mailboxes, makeMailboxes } from "./mailbox.ts";
import type { BusProtocol } from "./names.ts";
import { PartitionConsumer } from "./partition-consumer.ts";
import { invalid, refuse } from "./refusals.ts";
import type { Replies } from "./replies.ts";

export interface ResponderDeps {
  protocol: BusProtocol;
  kafka: KafkaPort;
  commands: BusCommand[];
  group: string;
  mailboxLimit: number;
  /** The limit for record keys. */
  maxKeyBytes: number;
  allowedReplyTopics: RegExp;
  codec: Pick<Codec, "encode">;
  execute: Execute;
  /** The device of a token that is valid for this record key at this time (Unix ms); undefined for any other text. */
  deviceOf(token: string, at: { recordKey: string; at: number }): VerifiedDevice | undefined;
  replies: Replies;
  deadLetters: DeadLetters;
  log: Logger;
  /** Unix ms by the broker's clock, by which deadlines count. */
  now(): number;
  monotonic(): number;
  /**
   * Called once per record with its outcome (`ok`, a code, `dead-letter`, `unreadable` or `unknown-destination`) and
   * the ms since the broker took it.
   */
  observe(topic: string, outcome: string, ms: number): void;
}

interface ReceivedRequest {
  record: InRecord;
  command: BusCommand;
  call: Call;
  owner: AssignedPartition;
}

export class Responder {
  readonly #deps: ResponderDeps;
  readonly #commands: ReadonlyMap<string, BusCommand>;
  readonly #mailboxes: Mailboxes;
  readonly #consumer: PartitionConsumer;

  constructor(deps: ResponderDeps) {
    this.#deps = deps;
    this.#commands = new Map(deps.commands.map((command) => [command.topic, command]));
    this.#mailboxes = makeMailboxes(deps.mailboxLimit);
    this.#consumer = new PartitionConsumer({
      ...{ kafka: deps.kafka, group: deps.group, topics: [...this.#commands.keys()], log: deps.log },
      commitEveryMs: 100,
      drainsQueued: false,
      onRecord: (record, owner) => this.#receive(record, owner),
      onUnreadable: (records, owner) => this.#passOver(records, owner),
    });
  }

  /** Resolves at the first assignment. */
  get joined(): Promise<void> {
    return this.#consumer.joined;
  }

  get healthy(): boolean {
    return this.#consumer.healthy;
  }

  /** Requests taken and not finished. */
  get inFlight(): number {
    return this.#mailboxes.size;
  }

  /** Mailboxes with work. */
  get mailboxes(): number {
    return this.#mailboxes.keys;
  }

  /** This worker's partitions, by topic. */
  held(): Record<string, number[]> {
    return this.#consumer.assigned.byTopic();
  }

  /** Unfinished records per topic, as of the last fetch. */
  lag(): Map<string, number> {
    const lag = new Map<string, number>();
    for (const each of this.#consumer.assigned.all()) lag.set(each.topic, (lag.get(each.topic) ?? 0) + lagOf(each));
    return lag;
  }

  /** Starts nothing new, waits up to drainMs for running requests, commits, and leaves the group. */
  close(drainMs: number): Promise<void> {
    return this.#consumer.close(drainMs);
  }

  #receive(record: InRecord, owner: AssignedPartition): void {
    const { protocol, allowedReplyTopics, maxKeyBytes, mailboxLimit } = this.#deps;
    const command = this.#commands.get(record.topic)!;
    const headers = readHeaders(record, { names: protocol.names, allowedReplyTopics });
    if ("fault" in headers) {
      void this.#settle(record, owner, () => this.#refuseHeaders(record, command, headers));
      return;
    }
    if (!isServable(record.key, maxKeyBytes)) {
      void this.#settle(record, owner, () => this.#refuseKey({ command, key: null, headers }));
      return;
    }
    const call = this.#callOf(record, headers);
    const { key, bound } = mailboxOf(record, command, mailboxLimit);
    const work = () => this.#settle(record, owner, () => this.#serve({ record, command, call, owner }));
    const queued = this.#mailboxes.push(key, work, { bound, device: call.device !== undefined });
    if (!queued)
      void this.#settle(record, owner, () =>
        this.#refuse({ command, key: record.key, headers }, refuse("THROTTLED", { retryAfterMs: 1000 })),
      );
  }

  #passOver(records: UnreadableRecords, owner: AssignedPartition): void {
    void this.#settle({ ...records, offset: records.last }, owner, async () => {
      const letter = unreadableLetter(records, this.#letterAt());
      await this.#sendToDeadLetters(letter, "unreadable", partitionKey(records));
      return "unreadable";
    });
  }

  /** @param work resolves to the outcome */
  #settle(
    record: Pick<InRecord, "topic" | "offset" | "timestamp" | "bytes">,
    owner: AssignedPartition,
    work: () => Promise<string>,
  ): Promise<void> {
    return this.#consumer.settle(record, owner, async () => {
      const outcome = await work();
      this.#deps.observe(record.topic, outcome, this.#deps.now() - record.timestamp);
    });
  }

  #callOf(record: InRecord, headers: RequestHeaders): Call {
    const origin = this.#deps.now() - this.#deps.monotonic();
    const deadline = headers.deadline - origin;
    const device = this.#verifiedDevice(record, headers);
    const call = { topic: record.topic, headers, recordedAt: record.timestamp, deadline };
    return device === undefined ? call : { ...call, device };
  }

  /** Checked at the record's broker time, so that a redelivery is judged like the first delivery. */
  #verifiedDevice({ key, timestamp }: InRecord, { device }: RequestHeaders): VerifiedDevice | undefined {
    if (device === undefined || key === null || key.length === 0) return undefined;
    return this.#deps.deviceOf(device, { recordKey: key.toString("utf8"), at: timestamp });
  }

  async #serve({ record, command, call, owner }: ReceivedRequest): Promise<string> {
    const { reply } = call.headers;
    // A broker that cannot be asked is no reason to refuse work: the reply itself waits for it.
    if (!(await this.#deps.replies.reachable(reply).catch(() => true))) {
      const where = { topic: record.topic, replyTopic: reply.topic, replyPartition: reply.partition };
      this.#deps.log.warn(where, "no work for a reply that cannot arrive");
      return "unknown-destination";
    }
    const redelivered = owner.redeliveredBelow !== undefined && record.offset < owner.redeliveredBelow;
    const done = await this.#deps.execute(record, command, call, redelivered);
    const { deadLetterReason: error } = done;
    if (error !== undefined)
      await this.#sendToDeadLetters(deadLetter(record, { error, ...this.#letterAt() }), "internal", reply.topic);
    await this.#send(done.reply);
    return done.outcome;
  }

  async #refuseHeaders(record: InRecord, command: BusCommand, { fault, header, address }: HeaderFault) {
    const message = header === "" ? fault : `header ${header}: ${fault}`;
    if (address === undefined) {
      const letter = deadLetter(record, { error: message, ...this.#letterAt() });
      await this.#sendToDeadLetters(letter, "no-reply-address", partitionKey(record));
      return "dead-letter";
    }
    const refusal = refuse("INVALID_INPUT", { message, details: header === "" ? {} : { header } });
    return this.#refuse({ command, key: record.key, headers: { reply: address, ...readTrace(record) } }, refusal);
  }

  /** Answers without the key: a key of a megabyte would be copied and hashed again on its way back. */
  #refuseKey(caller: Caller): Promise<string> {
    return this.#refuse(caller, invalid("key", `must be UTF-8, of at most ${this.#deps.maxKeyBytes} bytes`));
  }

  async #refuse(caller: Caller, refusal: AnyRefusal): Promise<string> {
    const { outcome, reply } = refusalReply(this.#deps, caller, refusal);
    await this.#send(reply);
    return outcome;
  }

  #send(reply: OutRecord): Promise<void> {
    return this.#deps.replies.send(reply, this.#consumer.stopping);
  }

  #letterAt() {
    return { now: this.#deps.now(), deadLetters: this.#deps.protocol.names.deadLetters };
  }

  #sendToDeadLetters(record: OutRecord, reason: DeadLetterReason, requester: string): Promise<void> {
    return this.#deps.deadLetters.send({ record, reason, requester }, this.#consumer.stopping);
  }
}

function isServable(key: Buffer | null, maxBytes: number): boolean {
  return key === null || (key.length <= maxBytes && isUtf8(key));
}

/**
 * Equal keys share a mailbox, whichever command. Commands that accept any key need no order. Records without a key
 * share one mailbox per partition; its bound is the partition's high-water mark, because they do not belong to one
 * account.
 */
function mailboxOf(record: InRecord, command: BusCommand, limit: number): { key: string; bound: number } {
  const { topic, partition, offset, key } = record;
  if (command.keyKind === "any") return { key: `any:${topic}/${partition}/${offset}`, bound: limit };
  if (key === null || key.length === 0)
    return { key: `partition:${partitionKey(record)}`, bound: Number.POSITIVE_INFINITY };
  return { key: `${command.keyKind}:${key.toString("utf8")}`, bound: limit };
}
