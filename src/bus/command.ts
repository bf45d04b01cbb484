// What the bus knows of a command: names, schemas, lane, and one function. It knows nothing of what the command means.

import type { TextGate } from "./avro/text-gate.ts";
import type { Envelope } from "./headers.ts";
import type { Lane, Permit } from "./lanes.ts";

export type LaneName = "hash" | "db" | "cheap";
export type Lanes = Record<LaneName, Lane>;

/**
 * A device token that was verified. What it says is for handlers; to the bus it is a place in queues that others do not
 * get.
 */
export interface HeldDevice {
  id: Buffer;
  epoch: number;
}

/** One request on its way through a handler. */
export interface Call {
  topic: string;
  envelope: Envelope;
  /**
   * When the broker took the record, Unix ms: what a request brings along is judged by it, so a second reading judges
   * as the first.
   */
  recordedAt: number;
  /** Monotonic ms after which nobody waits any more. */
  deadline: number;
  /** What the caller's header device holds, where it holds for this record key. */
  device?: HeldDevice;
  /** In the lane of its command, which it enters later. */
  permit?: Permit;
}

export interface BusCommand {
  topic: string;
  /** Where it is `hash`, requests are admitted before they are opened. */
  lane: LaneName;
  /** Lane of one request, where that depends on what is in it: only known once it is opened. Default: `lane`. */
  laneOf?(request: object): LaneName;
  /** Kind of mailbox key: mailboxes of one kind are shared by all commands whose key is of that kind. */
  keyKind: string;
  /** Whether the first answer is kept and given again: commands that change or count something. */
  storesAnswer: boolean;
  /** Answered no sooner than so many ms after it was begun. */
  minResponseMs: number | undefined;
  /** Fields of the request and of the result that travel only inside a seal. */
  sealedFields: { request: readonly string[]; reply: readonly string[] };
  /** Bounds and characters of the request's texts. */
  texts: TextGate;
  /** Default of each request field that has one: an older requester's seal may lack the field. */
  requestDefaults: Readonly<Record<string, unknown>>;
  /** Full names of the reply's two branches. */
  resultName: string;
  /** The key the opened request must have, or undefined where any will do. */
  keyOf(request: object): string | undefined;
  /** @returns the result, sealed fields included. @throws Refusal, or a fault */
  handle(request: object, call: Call): Promise<object>;
  /** Whether this request has its answer already: asked for a late record before its time is judged. */
  answered(call: Call): Promise<boolean>;
}

export const requestSubject = (topic: string): string => `${topic}-value`;

/** Subject of a reply: the record's full name. */
export const replySubject = (command: Pick<BusCommand, "resultName">): string =>
  command.resultName.replace(/Result$/, "Reply");
