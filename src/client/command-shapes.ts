// What a client must know about each command, from its schemas: the sealed fields, the rules of its texts, and the
// fields of its record key. Computed at a command's first call, because few services call many.
import { makeTextGate, type TextGate } from "../bus/avro/text-gate.ts";
import { requestSubject } from "../bus/command.ts";
import { refuse } from "../protocol/errors.ts";
import { commandSchemas } from "../protocol/generated/schemas.ts";
import type { RecordKeyRule } from "../protocol/record-key.ts";
import { type SealedField, sealedPaths } from "../protocol/secret-fields.ts";
import type { Topic } from "./types.ts";

export interface CommandShape {
  /** Top-level request fields; all are texts. */
  sealedFields: readonly string[];
  sealsReply: boolean;
  texts: TextGate;
  rule: RecordKeyRule | undefined;
  defaults: Record<string, unknown>;
  resultName: string;
}

interface LooseSchema {
  namespace: string;
  name: string;
  sealedFields?: SealedField[];
  recordKey?: RecordKeyRule;
  fields: { name: string; type: unknown; default?: unknown }[];
}

const shapes = new Map<Topic, CommandShape>();

/** @throws Refusal INVALID_INPUT for an unknown command */
export function shapeOf(topic: Topic): CommandShape {
  const shape = shapes.get(topic) ?? readShape(topic);
  shapes.set(topic, shape);
  return shape;
}

function readShape(topic: Topic): CommandShape {
  if (!Object.hasOwn(commandSchemas, topic))
    throw refuse("INVALID_INPUT", { message: `There is no command ${topic}.` });
  const { request, reply } = commandSchemas[topic] as unknown as { request: LooseSchema; reply: LooseSchema };
  const result = (reply.fields[0]!.type as LooseSchema[])[0]!;
  return {
    sealedFields: sealedPaths(request),
    sealsReply: result.sealedFields !== undefined,
    rule: request.recordKey,
    texts: makeTextGate(request),
    defaults: Object.fromEntries(
      request.fields.filter((field) => "default" in field).map((field) => [field.name, field.default]),
    ),
    resultName: `${result.namespace}.${result.name}`,
  };
}

/** The schemas of all requests and replies, by subject and by full name. */
export function clientSchemas(): Record<string, object> {
  return Object.fromEntries(
    Object.entries(commandSchemas).flatMap(([topic, { request, reply }]) => [
      [requestSubject(topic), request],
      [`${reply.namespace}.${reply.name}`, reply],
    ]),
  );
}
