// Dead letters as an operator sees them, and the notes that authctl writes about them. An id is `partition/offset` in
// the dead-letter topic.
//
// Kafka cannot change or delete one record, so what became of a dead letter is written after it, in the same partition:
// a note, with a header auth-dlq-replayed or auth-dlq-dropped that holds the id. States: open -> replayed | dropped,
// and replayed -> dropped. Retention deletes the oldest records first, so no dead letter outlives its note. A note has
// no header auth-dlq-topic; a dead letter always has one.
import type { InRecord, OutRecord } from "../../kafka/records.ts";
import { isPlain } from "../../lib/escaped.ts";
import { deadLetterHeaders, deadLetterTopic } from "../../protocol/bus-names.ts";
import { UsageFault } from "../faults.ts";

export interface LetterId {
  readonly partition: number;
  readonly offset: bigint;
}

/** What a dead letter's headers say, without its value. */
export interface Letter {
  readonly id: LetterId;
  /** Broker time of the dead letter, Unix ms. */
  readonly time: number;
  /** Where it came from. */
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
  readonly error: string;
  readonly bytes: number;
  /** How long the value was before it was cut. */
  readonly cutFrom: string | undefined;
  /** Which of key and headers are not whole. */
  readonly partsCut: string | undefined;
  /** Of several records that could not be read: the offset of the last one. */
  readonly lastOffset: string | undefined;
  readonly note: Note | undefined;
}

export type LetterAction = "replayed" | "dropped";

export interface Note {
  readonly of: LetterId;
  readonly action: LetterAction;
  readonly time: number;
  readonly by: string;
}

const noteHeaders: Record<LetterAction, string> = { replayed: "auth-dlq-replayed", dropped: "auth-dlq-dropped" };
const byHeader = "auth-dlq-by";

export function idText({ partition, offset }: LetterId): string {
  return `${partition}/${offset}`;
}

/** @throws UsageFault */
export function parseLetterId(word: string): LetterId {
  const id = parseId(word);
  if (id === undefined) {
    throw new UsageFault(
      `A dead letter's id is partition/offset, such as 3/17, as \`dlq list\` shows it, not ${word}.`,
    );
  }
  return id;
}

function parseId(text: string): LetterId | undefined {
  const found = /^(\d{1,9})\/(\d{1,18})$/.exec(text);
  return found ? { partition: Number(found[1]), offset: BigInt(found[2]!) } : undefined;
}

/** @returns undefined for what is neither a dead letter nor a note */
export function readLetter(record: InRecord): Letter | Note | undefined {
  const names = deadLetterHeaders;
  const topic = headerText(record, names.topic);
  if (topic === undefined) return readNote(record);
  return {
    id: { partition: record.partition, offset: record.offset },
    time: record.timestamp,
    topic,
    partition: headerText(record, names.partition) ?? "?",
    offset: headerText(record, names.offset) ?? "?",
    error: headerText(record, names.error) ?? "(no reason was noted)",
    bytes: record.value?.length ?? 0,
    cutFrom: headerText(record, names.cut),
    partsCut: headerText(record, names.partsCut),
    lastOffset: headerText(record, names.lastOffset),
    note: undefined,
  };
}

export function isNote(found: Letter | Note): found is Note {
  return "action" in found;
}

function readNote(record: InRecord): Note | undefined {
  for (const action of ["dropped", "replayed"] as const) {
    const of = parseId(headerText(record, noteHeaders[action]) ?? "");
    if (of !== undefined)
      return { of, action, time: record.timestamp, by: headerText(record, byHeader) ?? "(unknown)" };
  }
  return undefined;
}

/** The record of a note. @param by who did it */
export function noteRecord(of: LetterId, action: LetterAction, by: string): OutRecord {
  const headers = { [noteHeaders[action]]: idText(of), [byHeader]: by };
  return { topic: deadLetterTopic, partition: of.partition, key: Buffer.from(idText(of)), value: null, headers };
}

/** Where it came from, as one word: topic/partition/offset, or the span of offsets. */
export function placeText({ topic, partition, offset, lastOffset }: Letter): string {
  return `${topic}/${partition}/${offset}${lastOffset === undefined || lastOffset === offset ? "" : `-${lastOffset}`}`;
}

/** `open`, or what was done with it, when and by whom. */
export function stateText({ note }: Pick<Letter, "note">): string {
  return note === undefined ? "open" : `${note.action} at ${isoTime(note.time)} by ${note.by}`;
}

export function isoTime(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

function headerText({ headers }: InRecord, name: string): string | undefined {
  const value = headers[name];
  return value === undefined ? undefined : [value].flat().at(-1)!.toString("utf8");
}

/** The bytes as text, where they are text that is printed unchanged; else undefined. */
export function printableText(bytes: Buffer): string | undefined {
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) && isPlain(text) ? text : undefined;
}
