// What the bus calls things on Kafka. All of it is the application's: two applications on one cluster differ in it and
// in their topics.
import type { BusCode } from "./refusals.ts";

export interface BusNames {
  /** Headers beside those that Kafka's clients share (headers.ts). */
  headers: {
    timeout: string;
    deadline: string;
    idempotencyKey: string;
    replyKey: string;
    device: string;
    outcome: string;
    replyMac: string;
    /** Of the records by which a requester finds out that it reads its partition. */
    probe: string;
  };
  /** A service's replies come on this and its name. */
  replyTopicPrefix: string;
  fleetTopic: string;
  deadLetters: DeadLetterNames;
  /** Full name of the record that a refusal is in a reply. */
  refusalRecord: string;
  /** What makes topics and registers schemas, for messages: "run <this>". */
  setupCommand: string;
}

export interface DeadLetterNames {
  topic: string;
  /** Every header that begins so is ours. */
  headerPrefix: string;
  headers: {
    topic: string;
    partition: string;
    offset: string;
    /** For several records that cannot be read: the offset of the last. */
    lastOffset: string;
    /** The original record's broker time, Unix ms. */
    timestamp: string;
    error: string;
    at: string;
    cut: string;
    /** Beside the value: which of key and headers are not whole. */
    partsCut: string;
    replayedFrom: string;
  };
}

/** What an application chooses of the bus. */
export interface BusProtocol {
  names: BusNames;
  /** Codes that this application calls otherwise, in replies and in what a requester throws. */
  codes?: Partial<Record<BusCode, string>>;
}

/** The names of an application that calls everything by one prefix: topics `prefix.`, headers `prefix-`. */
export function namesFor(prefix: string, setupCommand = `${prefix} migrate`): BusNames {
  const header = (name: string): string => `${prefix}-${name}`;
  const deadLetter = (name: string): string => header(`dlq-${name}`);
  return {
    headers: {
      timeout: header("timeout"),
      deadline: header("deadline"),
      idempotencyKey: header("idempotency-key"),
      replyKey: header("reply-key"),
      device: header("device"),
      outcome: header("outcome"),
      replyMac: header("reply-mac"),
      probe: header("probe"),
    },
    replyTopicPrefix: `${prefix}.reply.`,
    fleetTopic: `${prefix}.fleet`,
    deadLetters: {
      topic: `${prefix}.dead-letter`,
      headerPrefix: deadLetter(""),
      headers: {
        topic: deadLetter("topic"),
        partition: deadLetter("partition"),
        offset: deadLetter("offset"),
        lastOffset: deadLetter("last-offset"),
        timestamp: deadLetter("timestamp"),
        error: deadLetter("error"),
        at: deadLetter("at"),
        cut: deadLetter("cut"),
        partsCut: deadLetter("parts-cut"),
        replayedFrom: deadLetter("replayed-from"),
      },
    },
    refusalRecord: `${prefix}.Refusal`,
    setupCommand,
  };
}
