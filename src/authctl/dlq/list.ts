// authctl dlq list: the newest dead letters, one a line, from their headers alone.
import { systemClock } from "../../lib/clock.ts";
import { type Answer, type Call, type Command, textOption, UsageFault } from "../command.ts";
import { sinceOption, topicOption, withKafka } from "../connect/reach.ts";
import { targetOf } from "../connect/target.ts";
import { columns } from "../terminal/table.ts";
import { idText, isoTime, type Letter, placeText, stateText } from "./letters.ts";
import { type FoundLetters, findNewest } from "./search.ts";

const defaultLimit = 20;
const maxLimit = 1000;

export const dlqList: Command = {
  name: "dlq list",
  usage: "[--topic GLOB] [--since DURATION] [--limit N] [--all]",
  summary: "dead letters: what could not be processed",
  help: `Lists the records that could not be processed (topic auth.dead-letter), newest first: id, time, where each came from, and why.

  --topic GLOB       only those that came from this topic; * stands for anything
  --since DURATION   only those of the last 30m, 12h, 7d ...
  --limit N          so many at most, 1 to ${maxLimit}; default ${defaultLimit}
  --all              also those that were replayed or dropped

It reads from the end of the topic, no more than is needed. Dead letters are kept for 30 days.`,
  needs: [],
  options: {
    topic: { type: "string" },
    since: { type: "string" },
    limit: { type: "string" },
    all: { type: "boolean" },
  },
  async run(call) {
    const limit = limitOf(call);
    const since = sinceOption(call);
    const wanted = {
      fits: topicOption(call) ?? (() => true),
      all: call.options["all"] === true,
      limit,
      since: since === undefined ? 0 : systemClock.now() - since,
    };
    const found = await withKafka(targetOf(call.env), (kafka) => findNewest(kafka, wanted));
    return answerOf(found, wanted.all);
  },
};

function limitOf(call: Call): number {
  const text = textOption(call, "limit") ?? String(defaultLimit);
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > maxLimit) throw new UsageFault(`--limit takes a number from 1 to ${maxLimit}, not ${text}.`);
  return limit;
}

function answerOf({ letters, more, unread }: FoundLetters, all: boolean): Answer {
  const rows = letters.map((letter) => rowOf(letter, all));
  const head = ["ID", "AT", "FROM", ...(all ? ["STATE"] : []), "ERROR"];
  const lines = letters.length === 0 ? ["No dead letters."] : columns([head, ...rows]);
  const oldest = letters.at(-1);
  const moreLine =
    oldest && more ? [`More exist, from before ${isoTime(oldest.time)}: raise --limit, or narrow with --topic.`] : [];
  return {
    document: { letters: letters.map(summaryOf), more, unread },
    lines: [...lines, ...moreLine, ...unreadLines(unread)],
  };
}

function rowOf(letter: Letter, all: boolean): string[] {
  const { error, time } = letter;
  return [idText(letter.id), isoTime(time), placeText(letter), ...(all ? [stateText(letter)] : []), error];
}

/** A letter in a JSON document. */
export function summaryOf({ id, time, topic, partition, offset, error, bytes, note, ...more }: Letter): object {
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

/** Said wherever a reading may not have seen everything. */
export function unreadLines(unread: number[]): string[] {
  if (unread.length === 0) return [];
  return [
    `Partition ${unread.join(", ")} gave less than its end promised: its oldest records are no longer kept, or its broker does not answer.`,
  ];
}
