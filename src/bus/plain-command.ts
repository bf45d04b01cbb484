// A command without secrets, defined by its fields: its schemas in the registry's form, and its description for the
// bus.

import { AnyRefusal } from "../lib/refusal.ts";
import type { Codec } from "./avro/codec.ts";
import { makeTextGate } from "./avro/text-gate.ts";
import { type BusCommand, replySubject, requestSubject } from "./command.ts";
import type { BusNames } from "./names.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";

/** Fields of an Avro record; a text may have the attributes of avro/text-gate.ts. */
type AvroFields = readonly { name: string; type: unknown; maxBytes?: number; text?: string }[];

export interface PlainCommand {
  /** `namespace.command`; the records are `namespace.CommandRequest`, `…Result` and `…Reply`. */
  topic: string;
  request: AvroFields;
  result: AvroFields;
  /** @throws Refusal, or a fault */
  handle(request: never): object | Promise<object>;
}

export interface DefinedCommand {
  command: BusCommand;
  /** By subject, for registry and codec. */
  schemas: Record<string, object>;
}

const refusalFields: AvroFields = [
  { name: "code", type: "string" },
  { name: "message", type: "string" },
  { name: "retryAfterMs", type: ["null", "long"] },
  { name: "details", type: { type: "map", values: "string" } },
];

export function definePlainCommand(names: BusNames, { topic, request, result, handle }: PlainCommand): DefinedCommand {
  const [namespace = "", word = ""] = topic.split(/\.(?=[^.]*$)/);
  const record = (suffix: string, fields: AvroFields) => {
    return { type: "record", namespace, name: `${word[0]?.toUpperCase()}${word.slice(1)}${suffix}`, fields };
  };
  const [refusalName = ""] = names.refusalRecord.split(".").slice(-1);
  const refusal = {
    type: "record",
    namespace: names.refusalRecord.slice(0, -refusalName.length - 1),
    name: refusalName,
    fields: refusalFields,
  };
  const outcome = [record("Result", result), refusal];
  const command: BusCommand = {
    topic,
    lane: "cheap",
    keyKind: "any",
    storesAnswer: false,
    minResponseMs: undefined,
    sealedFields: { request: [], reply: [] },
    texts: makeTextGate({ fields: request }),
    requestDefaults: {},
    resultName: `${namespace}.${record("Result", []).name}`,
    keyOf: () => undefined,
    handle: async (given) => handle(given as never),
    answered: async () => false,
  };
  return {
    command,
    schemas: {
      [requestSubject(topic)]: record("Request", request),
      [replySubject(command)]: record("Reply", [{ name: "outcome", type: outcome }]),
    },
  };
}

/** The result in a reply. @throws Refusal */
export function readPlainReply<T>(
  { codec, names }: { codec: Codec; names: BusNames },
  command: BusCommand,
): OutgoingRequest<T>["read"] {
  return async ({ value }) => {
    const { outcome } = (await codec.decode(replySubject(command), value)) as { outcome: Record<string, object> };
    const refused = outcome[names.refusalRecord] as { code: string; message: string } | undefined;
    if (refused !== undefined) throw new AnyRefusal(refused.code, { message: refused.message });
    return { answer: outcome[command.resultName] as T };
  };
}
