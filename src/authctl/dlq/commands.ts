// How the commands on dead letters are called.
import { type Command, flag, type OptionDefinition, valued } from "../command.ts";
import { yes } from "../users/commands.ts";
import { defaultListLimit, maxListLimit, mostAtATime } from "./limits.ts";

const by = valued("NAME", "who does it, in the note; default: the system's user name");
const ids = ["[ID...]", "partition/offset, as dlq list shows it"] as const;

const list: Command = {
  name: "dlq list",
  usage: "[--topic GLOB] [--since DURATION] [--limit N] [--all]",
  summary: "dead letters: records that could not be processed",
  about: `Lists the records that could not be processed (topic auth.dead-letter), newest first: id, time, where each came from, and why.`,
  options: {
    topic: valued("GLOB", "only those from this topic; * stands for anything"),
    since: valued("DURATION", "only those of the last 30m, 12h, 7d ..."),
    limit: valued("N", `at most this many, 1 to ${maxListLimit}; default ${defaultListLimit}`),
    all: flag("also those that were replayed or dropped"),
  },
  notes: "It reads backwards from the end of the topic, no more than it needs. Dead letters are kept for 30 days.",
  load: async () => (await import("./list.ts")).dlqList,
};

const show: Command = {
  name: "dlq show",
  usage: "ID [--all]",
  summary: "one dead letter: why, from where, headers, fields",
  about: `Shows one dead letter: why it is one, where it came from, its headers and fields, and whether it can be replayed.`,
  arguments: [["<ID>", "partition/offset, as dlq list shows it"]],
  options: { all: flag("also one that was dropped") },
  notes: `Avro is decoded where its schema is known. Secrets are never shown: sealed fields stay sealed, and values that may hold a token in clear are withheld.`,
  load: async () => (await import("./show.ts")).dlqShow,
};

const openOnes = (order: string): OptionDefinition =>
  valued("GLOB", `all open ones from this topic, the newest ${mostAtATime}${order}; * stands for anything`);

const replay: Command = {
  name: "dlq replay",
  usage: "(ID... | --topic GLOB) [--yes] [--as NAME]",
  summary: "sends dead letters to their topics again",
  about: `Sends each record to its topic again, with its key, value and headers: a request keeps its correlation id, idempotency key and reply topic. To the fleet it is the same record, so what took effect before does not take effect twice. Its time is the time of the replay.`,
  arguments: [ids],
  options: { topic: openOnes(", oldest of them first"), yes, as: by },
  notes: `A dead letter that cannot be replayed is named, and the exit code is 1: it was replayed or dropped before, its seal has expired (requests are sealed for minutes), its value was cut, its topic or reply topic is gone, or it is older than answers are stored (AUTH_IDEMPOTENCY_TTL, requests only). Find out first why it is a dead letter: while the cause remains, it becomes one again, with an id of its own. Whoever sent the request may be gone.`,
  load: async () => (await import("./replay.ts")).dlqReplay,
};

const drop: Command = {
  name: "dlq drop",
  usage: "(ID... | --topic GLOB) [--yes] [--as NAME]",
  summary: "marks dead letters as done: list, show and replay skip them",
  about: `Writes a note to auth.dead-letter, after each dead letter, that it is dropped. From then on list, show and replay skip it (--all shows it).`,
  arguments: [ids],
  options: { topic: openOnes(""), yes, as: by },
  notes: `Nothing is erased, because Kafka cannot delete a single record of such a topic. The record stays on the brokers' disks until the topic's 30 days are over; docs/operations.md says how to erase everything up to an offset.`,
  load: async () => (await import("./drop.ts")).dlqDrop,
};

export const dlqCommands: readonly Command[] = [list, show, replay, drop];
