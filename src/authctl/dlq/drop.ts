// authctl dlq drop: writes notes that dead letters are done. Kafka deletes records only from the beginning of a
// partition up to an offset, so one dead letter cannot be erased without all those before it: its bytes stay until
// retention ends.
import type { CommandResult, Invocation } from "../command.ts";
import { operatorName } from "../connect/operator.ts";
import { withKafka } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { countText, moreText, readChoice } from "./choice.ts";
import { idText, noteRecord } from "./letters.ts";
import { fetchLetters } from "./search.ts";

export async function dlqDrop(call: Invocation): Promise<CommandResult> {
  const choose = readChoice(call);
  const by = operatorName(call);
  checkAskable(call);
  return withKafka(findTarget(call.env), async (kafka) => {
    const { ids, more } = await choose(kafka);
    const fetched = await fetchLetters(kafka, ids, 0);
    const open = fetched.filter(({ letter }) => letter.note?.action !== "dropped");
    const already = fetched
      .filter(({ letter }) => letter.note?.action === "dropped")
      .map(({ letter }) => idText(letter.id));
    const topics = open.map(({ letter }) => letter.topic);
    if (topics.length > 0 && !(await confirmed(call, `Drop ${countText(topics)}?`))) {
      return { document: { dropped: [], already, more }, lines: ["Nothing was dropped."], failed: true };
    }
    if (open.length > 0) await kafka.produce(open.map(({ letter }) => noteRecord(letter.id, "dropped", by)));
    const dropped = open.map(({ letter }) => idText(letter.id));
    return { document: { dropped, already, more }, lines: dropLines(topics, already, more) };
  });
}

function dropLines(topics: string[], already: string[], more: boolean): string[] {
  return [
    topics.length > 0 ? `Dropped ${countText(topics)}.` : "Nothing to drop.",
    ...(already.length > 0 ? [`Dropped before: ${already.join(", ")}.`] : []),
    ...(more ? [moreText(false)] : []),
  ];
}
