// authctl dlq list: the newest dead letters, one a line, from their headers alone.
import { systemClock } from "../../lib/clock.ts";
import { type CommandResult, flagOption, type Invocation, textOption } from "../command.ts";
import { sinceOption, topicOption, withKafka } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";
import { table } from "../terminal/table.ts";
import { idText, isoTime, type Letter, placeText, stateText } from "./letters.ts";
import { defaultListLimit, maxListLimit } from "./limits.ts";
import { type FoundLetters, findNewest } from "./search.ts";

export async function dlqList(call: Invocation): Promise<CommandResult> {
  const limit = readLimit(call);
  const since = sinceOption(call);
  const wanted = {
    fits: topicOption(call) ?? (() => true),
    all: flagOption(call, "all"),
    limit,
    since: since === undefined ? 0 : systemClock.now() - since,
  };
  const found = await withKafka(findTarget(call.env), (kafka) => findNewest(kafka, wanted));
  return listResult(found, wanted.all);
}

function readLimit(call: Invocation): number {
  const text = textOption(call, "limit") ?? String(defaultListLimit);
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > maxListLimit)
    throw new UsageFault(`--limit takes a number from 1 to ${maxListLimit}, not ${text}.`);
  return limit;
}

function listResult({ letters, more, unread }: FoundLetters, all: boolean): CommandResult {
  const rows = letters.map((letter) => letterRow(letter, all));
  const head = ["ID", "AT", "FROM", ...(all ? ["STATE"] : []), "ERROR"];
  const lines = letters.length === 0 ? ["No dead letters."] : table([head, ...rows]);
  const oldest = letters.at(-1);
  const moreLine =
    oldest && more ? [`More exist, from before ${isoTime(oldest.time)}: raise --limit, or narrow with --topic.`] : [];
  return {
    document: { letters: letters.map(letterSummary), more, unread },
    lines: [...lines, ...moreLine, ...unreadLines(unread)],
  };
}

function letterRow(letter: Letter, all: boolean): string[] {
  const { error, time } = letter;
  return [idText(letter.id), isoTime(time), placeText(letter), ...(all ? [stateText(letter)] : []), error];
}

/** A letter in a JSON document. */
export function letterSummary({ id, time, topic, partition, offset, error, bytes, note, ...more }: Letter): object {
  const { cutFrom, partsCut, lastOffset } = more;
  return {
    id: idText(id),
    at: isoTime(time),
    from: { topic, partition, offset, ...(lastOffset !== undefined && { lastOffset }) },
    error,
    bytes,
    ...(cutFrom !== undefined && { cutFrom }),
    ...(partsCut !== undefined && { partsCut }),
    state: note?.action ?? "open",
    ...(note && { stateAt: isoTime(note.time), stateBy: note.by }),
  };
}

/** Printed wherever not everything may have been read. */
export function unreadLines(unread: number[]): string[] {
  if (unread.length === 0) return [];
  return [
    `Partition ${unread.join(", ")} gave less than its end promised: its oldest records are no longer kept, or its broker does not answer.`,
  ];
}
