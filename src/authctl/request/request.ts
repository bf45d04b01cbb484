// authctl request: sends any command with its fields as JSON, sealed and keyed by its schema, and prints the reply. It
// knows every command from the generated schemas, so a new command needs nothing here. Unknown topics and fields are
// refused before anything is sent; values are checked by the fleet.
import { randomBytes } from "node:crypto";
import type { Topic } from "../../client/types.ts";
import { parseDuration } from "../../config/kinds.ts";
import { Refusal } from "../../protocol/errors.ts";
import { type Commands, commandSchemas } from "../../protocol/generated/schemas.ts";
import { type SealedField, sealedPaths } from "../../protocol/secret-fields.ts";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";
import { documentText } from "../terminal/safe-terminal.ts";
import { defaultTimeout, shortestKey } from "./limits.ts";

export const topics = Object.keys(commandSchemas);
const longestTimeoutMs = 300_000;

export async function request(call: Invocation): Promise<CommandResult> {
  const topic = findTopic(call.words[0]!);
  const timeoutMs = readTimeout(textOption(call, "timeout") ?? defaultTimeout);
  // Not base64url: a key that begins with a dash could not be given as an option.
  const idempotencyKey = readIdempotencyKey(call) ?? randomBytes(16).toString("hex");
  const input = await readInput(call, topic);
  const document = await call.reach(findTarget(call.env), ({ client }) =>
    client.request(topic, input, { timeoutMs, idempotencyKey }).catch((error: unknown) => {
      throw withKey(error, idempotencyKey);
    }),
  );
  return { document, lines: documentText(document).split("\n") };
}

function findTopic(word: string): Topic {
  const topic = [word, `auth.${word}`].find((each): each is Topic => Object.hasOwn(commandSchemas, each));
  if (topic === undefined) throw new UsageFault(`There is no topic ${word}; there are:\n  ${topics.join("\n  ")}`);
  return topic;
}

function readTimeout(text: string): number {
  try {
    const ms = parseDuration(text);
    if (ms >= 1 && ms <= longestTimeoutMs) return ms;
  } catch {
    // the sentence below says it
  }
  throw new UsageFault(`--timeout takes a duration from 1ms to 5m, such as ${defaultTimeout}, not ${text}.`);
}

function readIdempotencyKey(call: Invocation): string | undefined {
  const key = textOption(call, "idempotency-key");
  if (key !== undefined && key.length < shortestKey) {
    throw new UsageFault(`--idempotency-key takes 128 random bits as text, ${shortestKey} characters or more.`);
  }
  return key;
}

async function readInput(call: Invocation, topic: Topic): Promise<Commands[Topic]["input"]> {
  const word = call.words[1]!;
  const fields = parseObject(word === "-" ? await call.terminal.input() : word);
  const known = fieldNames(topic);
  const strange = Object.keys(fields).filter((name) => !known.includes(name));
  if (strange.length > 0) {
    const has = known.length > 0 ? `it has ${known.join(", ")}` : "it has none";
    throw new UsageFault(`${topic} has no field ${strange.join(", ")}: ${has}.`);
  }
  return fields as unknown as Commands[Topic]["input"];
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // the sentence below says it, without the text, which may hold a secret
  }
  throw new UsageFault('The fields must be one JSON object, such as \'{"login":"ada"}\' (mind the shell\'s quotes).');
}

/** In clear and sealed: the caller need not know which is which. */
function fieldNames(topic: Topic): string[] {
  const schema = commandSchemas[topic].request as {
    fields: readonly { name: string }[];
    sealedFields?: readonly SealedField[];
  };
  return [...schema.fields.map(({ name }) => name).filter((name) => name !== "sealed"), ...sealedPaths(schema)];
}

/** Where no reply came, only a repetition with the same key is safe, and nobody has seen the key yet. */
function withKey(error: unknown, idempotencyKey: string): unknown {
  if (!(error instanceof Refusal && error.code === "DEADLINE_EXCEEDED")) return error;
  const { code, message, details } = error;
  return new Refusal(code, { message, details: { ...details, idempotencyKey } });
}
