// The mailer: from auth.mail to SMTP, as a consumer group of any size. Each record is opened, rendered and sent once
// (delivery.ts). A mail that cannot be sent becomes a dead letter, and the partition moves on.
import { type Codec, CodecFault } from "../bus/avro/codec.ts";
import { deadLetter, unreadableLetter } from "../bus/dead-letter.ts";
import type { DeadLetters } from "../bus/dead-letter-sender.ts";
import { type Following, follow } from "../bus/partition-consumer.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { InRecord, TopicPartition, UnreadableRecords } from "../kafka/records.ts";
import { asError } from "../lib/errors.ts";
import { busNames, deadLetterHeaders } from "../protocol/bus-names.ts";
import { MailDelivery, type MailDeliveryDeps } from "./delivery.ts";
import {
  decodeMail,
  ForgedMail,
  openMail,
  type StoredMail,
  UnsendableMail,
  withCheckedAddress,
} from "./mail-record.ts";
import type { RenderedMail } from "./render.ts";

export interface MailerDeps extends Omit<MailDeliveryDeps, "triedAgain"> {
  kafka: KafkaPort;
  codec: Codec;
  /** @throws Error where the seal is not to the fleet */
  open(sealed: string): Promise<Record<string, unknown>>;
  /** @returns undefined where there is no template, or no token for its link */
  render(mail: StoredMail, secrets: Record<string, unknown>): RenderedMail | undefined;
  deadLetters: DeadLetters;
  observe(kind: string, outcome: MailOutcome): void;
}

type MailOutcome = "sent" | "repeated" | "dead-letter" | "tried-again";

export const mailerGroup = "auth.mailer";

export class Mailer {
  readonly #deps: MailerDeps;
  readonly #delivery: MailDelivery;
  readonly #following: Following;

  constructor(deps: MailerDeps) {
    this.#deps = deps;
    const isTransient = (error: unknown): boolean =>
      deps.isTransient(error) || (error instanceof CodecFault && error.kind === "unreachable");
    this.#delivery = new MailDelivery({
      ...deps,
      isTransient,
      triedAgain: (kind) => deps.observe(kind, "tried-again"),
    });
    this.#following = follow({
      kafka: deps.kafka,
      group: mailerGroup,
      topics: ["auth.mail"],
      keyOf: (record) => record.key?.toString("utf8") ?? `${record.partition}/${record.offset}`,
      work: (record, stopping) => this.#work(record, stopping),
      passOver: (records, stopping) => this.#passOver(records, stopping),
      log: deps.log,
    });
  }

  get joined(): Promise<void> {
    return this.#following.joined;
  }

  /** Whether it is a member of its group. */
  get healthy(): boolean {
    return this.#following.healthy;
  }

  /** The SMTP server's last refusal, if it has accepted nothing since. */
  get lastRefusal(): string | undefined {
    return this.#delivery.lastRefusal;
  }

  /** Stops taking records, waits up to drainMs for the mails in progress, leaves the group. */
  close(drainMs: number): Promise<void> {
    return this.#following.close(drainMs);
  }

  async #work(record: InRecord, stopping: AbortSignal): Promise<void> {
    let mail: StoredMail | undefined;
    try {
      const decoded = await this.#delivery.retry(() => decodeMail(this.#deps.codec, record), stopping);
      mail = withCheckedAddress(decoded);
      const secrets = await openMail(decoded, (sealed) => this.#deps.open(sealed));
      const rendered = this.#render(mail, secrets);
      const outcome = await this.#delivery.send({ mail, rendered, replayed: isReplay(record) }, stopping);
      this.#deps.observe(mail.kind, outcome);
    } catch (error) {
      if (stopping.aborted) throw error;
      await this.#sendToDeadLetters(record, { mail, error: asError(error) }, stopping);
    }
  }

  /** @throws UnsendableMail */
  #render(mail: StoredMail, secrets: Record<string, unknown>): RenderedMail {
    const rendered = this.#deps.render(mail, secrets);
    if (rendered === undefined)
      throw new UnsendableMail(`this version has no template for ${mail.kind}, or the mail lacks its token`);
    return rendered;
  }

  async #sendToDeadLetters(
    record: InRecord,
    { mail, error }: { mail: StoredMail | undefined; error: Error },
    stopping: AbortSignal,
  ): Promise<void> {
    const { log, observe, deadLetters, clock } = this.#deps;
    const { message } = error;
    log.error(
      { mailId: mail?.mailId, kind: mail?.kind, offset: String(record.offset) },
      `mail is not sent: ${message}`,
    );
    observe(mail?.kind ?? "unknown", "dead-letter");
    // Dead letters are limited per requester, but not for the fleet's own mails: none of those may be lost.
    const requester = mail === undefined || error instanceof ForgedMail ? partitionOf(record) : undefined;
    const letter = deadLetter(record, { error: message, now: clock.now(), deadLetters: busNames.deadLetters });
    await deadLetters.send({ record: letter, reason: "mail", requester }, stopping);
  }

  async #passOver(records: UnreadableRecords, stopping: AbortSignal): Promise<void> {
    const record = unreadableLetter(records, { now: this.#deps.clock.now(), deadLetters: busNames.deadLetters });
    const requester = partitionOf(records);
    await this.#deps.deadLetters.send({ record, reason: "unreadable", requester }, stopping);
    this.#deps.observe("unknown", "dead-letter");
  }
}

const partitionOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

const isReplay = ({ headers }: InRecord): boolean => headers[deadLetterHeaders.replayedFrom] !== undefined;
