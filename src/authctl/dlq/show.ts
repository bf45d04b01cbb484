// authctl dlq show: everything about one dead letter that may be seen, and whether it can be replayed.
import type { Config } from "../../config/read.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { InRecord } from "../../kafka/records.ts";
import { systemClock } from "../../lib/clock.ts";
import { refuse } from "../../protocol/errors.ts";
import { type CommandResult, flagOption, type Invocation } from "../command.ts";
import { withKafka } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { aligned } from "../terminal/table.ts";
import { idText, isoTime, type Letter, parseLetterId, stateText } from "./letters.ts";
import { letterSummary } from "./list.ts";
import { notReplayableReason, type ReplayDeps } from "./replayable.ts";
import { fetchLetters } from "./search.ts";
import { bytesText, jsonText, shownBinary, shownHeaders } from "./shown-bytes.ts";
import type { Reading, ShownValue } from "./value.ts";

export async function dlqShow(call: Invocation): Promise<CommandResult> {
  const id = parseLetterId(call.words[0]!);
  const { config, ...target } = findTarget(call.env);
  return withKafka({ config, ...target }, async (kafka) => {
    const [fetched] = await fetchLetters(kafka, [id], Number.POSITIVE_INFINITY);
    const { letter, record } = fetched!;
    if (letter.note?.action === "dropped" && !flagOption(call, "all")) throw droppedAlready(letter);
    const { shownValue } = await import("./value.ts");
    const value = await shownValue(letter.topic, record!.value, await openReading(config));
    const why = await notReplayableReason(letter, record!, makeReplayDeps(config, kafka));
    return letterResult(letter, { record: record!, value, why });
  });
}

function droppedAlready(letter: Letter): Error {
  const message = `The dead letter ${idText(letter.id)} was ${stateText(letter)}; --all shows it.`;
  return refuse("NOT_FOUND", { message, details: { id: idText(letter.id) } });
}

async function openReading(config: Config): Promise<Reading | undefined> {
  const [{ registryOf }, { makeSchemaStore }, { Codec }, { schemasBySubject }] = await Promise.all([
    import("../../processes/parts.ts"),
    import("../../bus/avro/schema-store.ts"),
    import("../../bus/avro/codec.ts"),
    import("../../processes/topic-specs.ts"),
  ]);
  const registry = registryOf(config);
  if (registry === undefined) return undefined;
  const store = makeSchemaStore([registry], systemClock.monotonic);
  return { schemas: registry, codec: new Codec(store, schemasBySubject()) };
}

export function makeReplayDeps(config: Config, kafka: KafkaPort): ReplayDeps {
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

function letterResult(letter: Letter, { record, value, why }: Shown): CommandResult {
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
    document: JSON.parse(jsonText({ ...letterSummary(letter), key, value, headers, replay })) as object,
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
