// authctl dlq show: everything about one dead letter that may be seen, and whether it can be replayed.
import { makeCodec } from "../../bus/avro/codec.ts";
import { makeSchemaStore } from "../../bus/avro/schema-store.ts";
import type { Config } from "../../config/read.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { systemClock } from "../../lib/clock.ts";
import { registryOf } from "../../processes/index.ts";
import { schemasBySubject } from "../../processes/topic-specs.ts";
import { refuse } from "../../protocol/errors.ts";
import type { Answer, Command } from "../command.ts";
import { withKafka } from "../connect/reach.ts";
import { targetOf } from "../connect/target.ts";
import { aligned } from "../terminal/terminal.ts";
import { idOf, idText, isoTime, type Letter, stateText } from "./letters.ts";
import { summaryOf } from "./list.ts";
import { notReplayableReason, type ReplayDeps } from "./replayable.ts";
import { fetchLetters } from "./search.ts";
import { bytesText, jsonText, type Reading, type ShownValue, shownBinary, shownHeaders, shownValue } from "./value.ts";

export const dlqShow: Command = {
  name: "dlq show",
  usage: "ID [--all]",
  summary: "one dead letter: why, from where, headers, fields",
  help: `Shows one dead letter: why it is one, where it came from, its headers and fields, and whether it can be replayed.

  ID      partition/offset, as dlq list shows it
  --all   also one that was dropped

Avro is decoded where its schema is known. Secrets are never shown: a seal stays closed, and what may hold a token in clear is withheld.`,
  needs: ["ID"],
  options: { all: { type: "boolean" } },
  async run(call) {
    const id = idOf(call.words[0]!);
    const { config, ...target } = targetOf(call.env);
    return withKafka({ config, ...target }, async (kafka) => {
      const [fetched] = await fetchLetters(kafka, [id], Number.POSITIVE_INFINITY);
      const { letter, record } = fetched!;
      if (letter.note?.action === "dropped" && call.options["all"] !== true) throw droppedAlready(letter);
      const value = await shownValue(letter.topic, record!.value, readingOf(config));
      const why = await notReplayableReason(letter, record!, replayDepsOf(config, kafka));
      return answerOf(letter, { record: record!, value, why });
    });
  },
};

function droppedAlready(letter: Letter): Error {
  const message = `The dead letter ${idText(letter.id)} was ${stateText(letter)}; --all shows it.`;
  return refuse("NOT_FOUND", { message, details: { id: idText(letter.id) } });
}

function readingOf(config: Config): Reading | undefined {
  const registry = registryOf(config);
  if (registry === undefined) return undefined;
  const store = makeSchemaStore([registry], systemClock.monotonic);
  return { schemas: registry, codec: makeCodec(store, schemasBySubject()) };
}

export function replayDepsOf(config: Config, kafka: KafkaPort): ReplayDeps {
  const known = new Map<string, Promise<number | undefined>>();
  return {
    replyTopics: config.AUTH_REPLY_TOPICS,
    answersKeptMs: config.AUTH_IDEMPOTENCY_TTL,
    now: systemClock.now,
    partitionsOf(topic) {
      const asked = known.get(topic) ?? kafka.partitionsOf(topic);
      known.set(topic, asked);
      return asked;
    },
  };
}

interface Shown {
  record: InRecord;
  value: ShownValue;
  why: string | undefined;
}

function answerOf(letter: Letter, { record, value, why }: Shown): Answer {
  const headers = shownHeaders(record);
  const key = record.key === null ? null : shownBinary(record.key);
  const replay = why === undefined ? { possible: true } : { possible: false, why };
  const rows: (readonly [string, string])[] = [
    ["id", idText(letter.id)],
    ["state", stateText(letter)],
    ["at", isoTime(letter.time)],
    ["from", `${letter.topic}, partition ${letter.partition}, ${offsetsText(letter)}`],
    ["error", letter.error],
    ["key", key === null ? "(none)" : bytesText(key)],
    ["value", valueText(letter, value)],
    ["replay", why === undefined ? "can be replayed" : why],
  ];
  const headerRows = Object.entries(headers).flatMap(([name, shown]) =>
    [shown].flat().map((each) => [name, bytesText(each)] as const),
  );
  return {
    document: JSON.parse(jsonText({ ...summaryOf(letter), key, value, headers, replay })) as object,
    lines: [...aligned(rows), "", "Headers:", ...aligned(headerRows, "  ")],
  };
}

function valueText({ cutFrom }: Letter, { bytes, fields, begins, undecoded }: ShownValue): string {
  const size = `${bytes} bytes${cutFrom === undefined ? "" : `, cut from ${cutFrom}`}`;
  if (fields !== undefined) return `${size}: ${jsonText(fields)}`;
  return `${size}${begins ? `, beginning 0x${begins}` : ""}: ${undecoded ?? ""}`;
}

function offsetsText({ offset, lastOffset }: Letter): string {
  return lastOffset === undefined ? `offset ${offset}` : `offsets ${offset} to ${lastOffset}`;
}
