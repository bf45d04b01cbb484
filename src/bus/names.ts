// The names that the bus uses on Kafka. The application chooses all of them: two applications on one cluster differ in
// them and in their topics.
import type { BusCode } from "./refusals.ts";

export interface BusNames {
  /** Headers besides those that all Kafka clients share (headers.ts). */
  headers: {
    timeout: string;
    deadline: string;
    idempotencyKey: string;
    replyKey: string;
    device: string;
    outcome: string;
    replyMac: string;
    /** Of the records by which a requester checks that it reads its partition. */
    probe: string;
  };
  /** A service's reply topic is this and its name. */
  replyTopicPrefix: string;
  fleetTopic: string;
  deadLetters: DeadLetterNames;
  /** Full name of a reply's refusal record. */
  refusalRecord: string;
  /** The command that creates topics and registers schemas, for messages: "run <this>". */
  setupCommand: string;
}

export interface DeadLetterNames {
  topic: string;
  /** Headers with this prefix are ours. */
  headerPrefix: string;
  headers: {
    topic: string;
    partition: string;
    offset: string;
    /** For several unreadable records: the offset of the last. */
    lastOffset: string;
    /** The original record's broker time, Unix ms. */
    timestamp: string;
    error: string;
    at: string;
    cut: string;
    /** Which of key and headers were cut. */
    partsCut: string;
    replayedFrom: string;
  };
}

/** What an application chooses of the bus. */
export interface BusProtocol {
  names: BusNames;
  /** Codes that this application names differently, in replies and in what a requester throws. */
  codes?: Partial<Record<BusCode, string>>;
}

/** The names of an application with one prefix for everything: topics `prefix.`, headers `prefix-`. */
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
