// Finds dead letters: the newest that match, and some by their ids. What became of a dead letter is written after it,
// so whatever is read is read to the end of its partition. Memory is bounded: the newest are searched for in windows
// from the end that grow tenfold, only summaries are kept, and of values as many bytes as the caller allows.
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { deadLetterTopic } from "../../protocol/bus-names.ts";
import { refuse } from "../../protocol/errors.ts";
import { Unreachable } from "../faults.ts";
import { idText, isNote, type Letter, type LetterId, type Note, readLetter } from "./letters.ts";
import { readSpans, type Span } from "./read.ts";

export interface LetterQuery {
  fits(letter: Letter): boolean;
  /** Also those that were replayed or dropped. */
  all: boolean;
  limit: number;
  /** Unix ms; older ones are not looked for. */
  since: number;
  /** Records of each partition in the first window. */
  window?: number;
}

export interface FoundLetters {
  /** Newest first. */
  letters: Letter[];
  /** There are, or may be, older ones that match. */
  more: boolean;
  /** Partitions that ended before they should. */
  unread: number[];
}

const growth = 10n;
/** Summaries kept at a time, some 1 KB each at most. */
const maxKept = 20_000;

/** @throws Unreachable, KafkaFault */
export async function findNewest(kafka: KafkaPort, wanted: LetterQuery): Promise<FoundLetters> {
  const ends = await partitionEnds(kafka);
  const room = Math.max(wanted.limit + 1, Math.floor(maxKept / ends.size));
  const newest = new Map<number, NewestPerPartition>();
  const unread = new Set<number>();
  let window = BigInt(wanted.window ?? Math.max(1000, 2 * wanted.limit));
  let open = [...ends.keys()];
  while (open.length > 0) {
    const spans = new Map(open.map((each) => [each, lastWindow(ends.get(each)!, window)]));
    for (const each of open) newest.set(each, makeNewestPerPartition(wanted, { room, span: spans.get(each)! }));
    const onRecord = (record: InRecord): void => newest.get(record.partition)?.put(record);
    for (const each of await readSpans(kafka, { topic: deadLetterTopic, spans, onRecord })) unread.add(each);
    open = open.filter((each) => !unread.has(each) && !newest.get(each)!.enough());
    window *= growth;
  }
  const held = [...newest.values()];
  const letters = held.flatMap((each) => each.letters()).sort(newestFirst);
  return {
    letters: letters.slice(0, wanted.limit),
    more: letters.length > wanted.limit || held.some((each) => each.forgot),
    unread: [...unread].sort((a, b) => a - b),
  };
}

async function partitionEnds(kafka: KafkaPort): Promise<Map<number, bigint>> {
  if ((await kafka.partitionsOf(deadLetterTopic)) === undefined) {
    throw new Unreachable(
      `Kafka has no topic ${deadLetterTopic}: run authfleet migrate first, and check AUTH_TOPIC_PREFIX.`,
    );
  }
  return kafka.endOffsets(deadLetterTopic);
}

function lastWindow(end: bigint, count: bigint): Span {
  return { from: end > count ? end - count : 0n, to: end };
}

function newestFirst(a: Letter, b: Letter): number {
  return b.time - a.time || b.id.partition - a.id.partition || Number(b.id.offset - a.id.offset);
}

interface NewestPerPartition {
  /** Whether some that match were given up for newer ones. */
  readonly forgot: boolean;
  put(record: InRecord): void;
  letters(): Letter[];
  /** Nothing before the window can match. */
  enough(): boolean;
}

/** The newest matching dead letters of one partition's window, as far as there is room. */
function makeNewestPerPartition(
  { fits, all, limit, since }: LetterQuery,
  { room, span }: { room: number; span: Span },
): NewestPerPartition {
  const held = new Map<bigint, Letter>();
  let first: InRecord | undefined;
  let forgot = false;
  const keep = (letter: Letter): void => {
    if (letter.time < since || !fits(letter)) return;
    held.set(letter.id.offset, letter);
    if (held.size <= room) return;
    held.delete(held.keys().next().value!);
    forgot = true;
  };
  const note = (found: Note): void => {
    const letter = held.get(found.of.offset);
    if (letter === undefined) return;
    if (all) held.set(found.of.offset, { ...letter, note: found });
    else held.delete(found.of.offset);
  };
  return {
    get forgot() {
      return forgot;
    },
    put(record) {
      first ??= record;
      const found = readLetter(record);
      if (found === undefined) return;
      if (isNote(found)) note(found);
      else keep(found);
    },
    letters: () => [...held.values()],
    enough: () =>
      held.size > limit ||
      forgot ||
      first === undefined ||
      first.offset > span.from ||
      span.from === 0n ||
      first.timestamp < since,
  };
}

export interface FetchedLetter {
  letter: Letter;
  /** The dead letter's record; undefined where the bytes that may be held were used up. */
  record: InRecord | undefined;
}

/**
 * In the order asked.
 * @throws Refusal NOT_FOUND where one does not exist, before anything else happens; Unreachable, KafkaFault
 */
export async function fetchLetters(
  kafka: KafkaPort,
  ids: readonly LetterId[],
  maxBytes: number,
): Promise<FetchedLetter[]> {
  const ends = await partitionEnds(kafka);
  for (const id of ids) checkPlace(id, ends);
  const found = new Map<string, FetchedLetter>();
  const notes = new Map<string, Note>();
  const wanted = new Set(ids.map(idText));
  let bytes = 0;
  const take = (record: InRecord): void => {
    const each = readLetter(record);
    if (each === undefined) return;
    const id = idText(isNote(each) ? each.of : each.id);
    if (!wanted.has(id)) return;
    if (isNote(each)) {
      notes.set(id, each);
      return;
    }
    bytes += recordBytes(record);
    found.set(id, { letter: each, record: bytes <= maxBytes ? record : undefined });
  };
  await readSpans(kafka, { topic: deadLetterTopic, spans: spansFor(ids, ends), onRecord: take });
  return ids.map((id) => {
    const fetched = found.get(idText(id));
    if (fetched === undefined) throw nothingAt(id);
    return { ...fetched, letter: { ...fetched.letter, note: notes.get(idText(id)) } };
  });
}

function checkPlace(id: LetterId, ends: Map<number, bigint>): void {
  const end = ends.get(id.partition);
  const message =
    end === undefined
      ? `There is no dead letter ${idText(id)}: ${deadLetterTopic} has the partitions 0 to ${ends.size - 1}.`
      : `There is no dead letter ${idText(id)}: partition ${id.partition} of ${deadLetterTopic} ${end === 0n ? "is empty" : `ends with ${end - 1n}`}.`;
  if (end === undefined || id.offset >= end) throw refuse("NOT_FOUND", { message, details: { id: idText(id) } });
}

function nothingAt(id: LetterId): Error {
  const message = `There is no dead letter ${idText(id)}: that place holds a note about another one, or is no longer kept.`;
  return refuse("NOT_FOUND", { message, details: { id: idText(id) } });
}

function spansFor(ids: readonly LetterId[], ends: Map<number, bigint>): Map<number, Span> {
  const spans = new Map<number, Span>();
  for (const { partition, offset } of ids) {
    const known = spans.get(partition);
    if (known === undefined || offset < known.from) spans.set(partition, { from: offset, to: ends.get(partition)! });
  }
  return spans;
}

function recordBytes({ key, value, headers }: InRecord): number {
  const sizes = Object.values(headers).flatMap((value) => [value ?? []].flat().map((each) => each.length));
  return sizes.reduce((sum, each) => sum + each, (key?.length ?? 0) + (value?.length ?? 0));
}
