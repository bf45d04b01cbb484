// A command as the bus sees it: names, schemas, lane, and a function. The bus knows nothing of what a command does.

import type { TextGate } from "./avro/text-gate.ts";
import type { RequestHeaders } from "./headers.ts";
import type { Lane, Permit } from "./lanes.ts";

export type LaneName = "hash" | "db" | "cheap";
export type Lanes = Record<LaneName, Lane>;

/** A verified device token. The bus uses it only to reserve places in queues; its claims are for handlers. */
export interface VerifiedDevice {
  id: Buffer;
  epoch: number;
}

/** One request while it is being handled. */
export interface Call {
  topic: string;
  headers: RequestHeaders;
  /**
   * When the broker took the record, Unix ms. Seals and tokens in the request are judged by this time, so a redelivery
   * is judged like the first delivery.
   */
  recordedAt: number;
  /** Monotonic ms after which the caller no longer waits. */
  deadline: number;
  /** The request's device token, if it is valid for this record key. */
  device?: VerifiedDevice;
  /** For the command's lane, where the request was admitted before its turn there. */
  permit?: Permit;
}

export interface BusCommand {
  topic: string;
  /** With `hash`, requests are admitted before they are opened. */
  lane: LaneName;
  /** The lane of one request, where that depends on its opened content. Default: `lane`. */
  laneOf?(request: object): LaneName;
  /** The kind of its mailbox key: commands with keys of one kind share mailboxes. */
  keyKind: string;
  /** Whether the first answer is stored and repeated: commands that change or count something. */
  storesAnswer: boolean;
  /** Minimum time from start to reply, ms. */
  minResponseMs: number | undefined;
  /** Fields of request and result that travel only inside a seal. */
  sealedFields: { request: readonly string[]; reply: readonly string[] };
  /** Bounds and allowed characters of the request's texts. */
  texts: TextGate;
  /** Defaults of the request's fields: an older requester's seal may lack such a field. */
  requestDefaults: Readonly<Record<string, unknown>>;
  /** Full name of the reply's result record. */
  resultName: string;
  /** The key that the opened request must have, or undefined where any key is allowed. */
  keyOf(request: object): string | undefined;
  /** @returns the result, sealed fields included. @throws Refusal, or a fault */
  handle(request: object, call: Call): Promise<object>;
  /** Whether the request has a stored answer: asked for a late record before it is refused as late. */
  answered(call: Call): Promise<boolean>;
}

export const requestSubject = (topic: string): string => `${topic}-value`;

/** The subject of a reply: the record's full name. */
export const replySubject = (command: Pick<BusCommand, "resultName">): string =>
  command.resultName.replace(/Result$/, "Reply");
