// Which dead letters a command is for: those named by id, or the newest open ones from some topics; and the sentences
// that say what was done with them.
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { Invocation } from "../command.ts";
import { topicOption } from "../connect/reach.ts";
import { UsageFault } from "../faults.ts";
import { idText, type LetterId, parseLetterId } from "./letters.ts";
import { mostAtATime } from "./limits.ts";
import { findNewest } from "./search.ts";

interface Choice {
  ids: LetterId[];
  /** More match than are done at a time. */
  more: boolean;
}

export type Choose = (kafka: KafkaPort) => Promise<Choice>;

/** ID... or --topic GLOB. @throws UsageFault */
export function readChoice(call: Invocation): Choose {
  const fits = topicOption(call);
  const ids = [...new Map(call.words.map((word) => [idText(parseLetterId(word)), parseLetterId(word)])).values()];
  if (ids.length === 0 && fits === undefined)
    throw new UsageFault("Name the dead letters by their ids, or say --topic.");
  if (ids.length > 0 && fits !== undefined) throw new UsageFault("Either name ids or say --topic, not both.");
  if (ids.length > mostAtATime) throw new UsageFault(`At most ${mostAtATime} ids at a time.`);
  return async (kafka) => {
    if (fits === undefined) return { ids, more: false };
    const { letters, more } = await findNewest(kafka, { fits, all: false, limit: mostAtATime, since: 0 });
    return { ids: letters.map(({ id }) => id).reverse(), more };
  };
}

/** `12 dead letters: 10 from delete, 2 from auth.session.login` */
export function countText(topics: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const topic of topics) counts.set(topic, (counts.get(topic) ?? 0) + 1);
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([topic, count]) => `${count} from ${topic}`);
  return `${topics.length} dead letter${topics.length === 1 ? "" : "s"}: ${parts.join(", ")}`;
}

/** @param stuck some could not be replayed, stay open, and would be chosen again */
export function moreText(stuck: boolean): string {
  const first = stuck ? "drop what cannot be replayed, then call again" : "call again";
  return `More of them exist than are done at a time (${mostAtATime}): ${first}.`;
}
