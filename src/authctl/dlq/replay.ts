// authctl dlq replay: sends dead letters to their topics again, each as the record it was. A note after the dead letter
// says that it was replayed. The note is written after the record is acknowledged, so a crash between the two leaves a
// dead letter that can be replayed once more, which does no harm.
import { KafkaFault } from "../../kafka/faults.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { CommandResult, Invocation } from "../command.ts";
import { operatorName } from "../connect/operator.ts";
import { withKafka } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { countText, moreText, readChoice } from "./choice.ts";
import { idText, noteRecord } from "./letters.ts";
import { notReplayableReason, type ReplayDeps, replayRecord } from "./replayable.ts";
import { type FetchedLetter, fetchLetters } from "./search.ts";
import { makeReplayDeps } from "./show.ts";

/** Bytes of values held at a time. */
const maxBytes = 64 * 1024 * 1024;

export async function dlqReplay(call: Invocation): Promise<CommandResult> {
  const choose = readChoice(call);
  const by = operatorName(call);
  checkAskable(call);
  const target = findTarget(call.env);
  return withKafka(target, async (kafka) => {
    const { ids, more } = await choose(kafka);
    const judged = await judge(await fetchLetters(kafka, ids, maxBytes), makeReplayDeps(target.config, kafka));
    return carryOut(call, { kafka, by, judged, more });
  });
}

interface Judged extends FetchedLetter {
  /** Why it is not replayed. */
  why: string | undefined;
}

async function judge(fetched: FetchedLetter[], around: ReplayDeps): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (const { letter, record } of fetched) {
    const why =
      record === undefined
        ? "Too much was asked for at once: call again."
        : await notReplayableReason(letter, record, around);
    judged.push({ letter, record, why });
  }
  return judged;
}

interface Work {
  kafka: KafkaPort;
  by: string;
  judged: Judged[];
  more: boolean;
}

async function carryOut(call: Invocation, { kafka, by, judged, more }: Work): Promise<CommandResult> {
  const topics = judged.filter(({ why }) => why === undefined).map(({ letter }) => letter.topic);
  if (topics.length > 0 && !(await confirmed(call, `Replay ${countText(topics)}?`))) {
    return { document: { replayed: [], refused: [], more }, lines: ["Nothing was replayed."], failed: true };
  }
  const done: Judged[] = [];
  for (const each of judged) done.push(each.why === undefined ? { ...each, why: await replay(kafka, each, by) } : each);
  return replayResult(done, more);
}

/** @returns why it could not be */
async function replay(kafka: KafkaPort, { letter, record }: FetchedLetter, by: string): Promise<string | undefined> {
  try {
    await kafka.produce([replayRecord(letter, record!)]);
  } catch (error) {
    if (!(error instanceof KafkaFault) || error.kind !== "too-large") throw error;
    return `With the header of a replay it is too large for its topic ${letter.topic}.`;
  }
  await kafka.produce([noteRecord(letter.id, "replayed", by)]);
  return undefined;
}

function replayResult(done: Judged[], more: boolean): CommandResult {
  const replayed = done.filter(({ why }) => why === undefined).map(({ letter }) => letter);
  const refused = done.flatMap(({ letter, why }) => (why === undefined ? [] : [{ id: idText(letter.id), why }]));
  return {
    document: { replayed: replayed.map(({ id }) => idText(id)), refused, more },
    lines: [
      ...(replayed.length > 0 ? [`Replayed ${countText(replayed.map(({ topic }) => topic))}.`] : []),
      ...refused.map(({ id, why }) => `${id} was not replayed. ${why}`),
      ...(done.length === 0 ? ["Nothing to replay."] : []),
      ...(more ? [moreText(refused.length > 0)] : []),
    ],
    failed: refused.length > 0,
  };
}
