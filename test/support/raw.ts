// Requests made by hand, as a foreign service would make them: bytes, headers and key as a test wants them, and the
// replies as they come.
import { randomBytes } from "node:crypto";
import avsc from "avsc";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import type { InRecord, OutRecord } from "../../src/kafka/records.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { type Mailbox, mailbox } from "./mailbox.ts";
import type { TestFleet } from "./test-fleet.ts";

export const replyTopic = "auth.reply.gateway";

export interface RawReply {
  record: InRecord;
  /** Header auth-outcome. */
  outcome: string;
  /** The Avro record's outcome: one branch by its full name. */
  body: Record<string, Record<string, unknown> | undefined>;
  /** The sealed field of a bare reply. */
  secrets: Record<string, unknown>;
}

export interface RawRequest {
  topic: keyof typeof commandSchemas;
  /** Fields of the record, or its bytes as they are. */
  fields?: Record<string, unknown>;
  bytes?: Buffer | null;
  key?: Buffer | string | null;
  partition?: number;
  headers?: Record<string, string | Buffer | Buffer[] | undefined>;
}

export interface Raw {
  replies: Mailbox;
  /** The request's value in the registry's wire format. */
  encode(topic: RawRequest["topic"], fields: Record<string, unknown>): Promise<Buffer>;
  record(request: RawRequest): Promise<OutRecord>;
  /** Sends and does not wait. */
  send(request: RawRequest): Promise<void>;
  /** Sends and waits for the reply with the same correlation id. */
  ask(request: RawRequest): Promise<RawReply>;
  /** A reply that came already, decoded. */
  read(topic: RawRequest["topic"], record: InRecord): RawReply;
}

const wireHeader = 5;

export async function rawRequests(fleet: TestFleet): Promise<Raw> {
  const registry = connectRegistry({ url: fleet.env["AUTH_REGISTRY_URL"]! });
  const replies = mailbox(fleet.kafka, [replyTopic]);
  await replies.ready;

  const encode = async (topic: RawRequest["topic"], fields: Record<string, unknown>): Promise<Buffer> => {
    const schema = commandSchemas[topic].request;
    const id = await registry.idOf(`${topic}-value`, schema);
    const header = Buffer.alloc(wireHeader);
    header.writeInt32BE(id!, 1);
    return Buffer.concat([header, avsc.Type.forSchema(schema as unknown as avsc.Schema).toBuffer(fields)]);
  };

  const record = async ({ topic, fields, bytes, key, partition, headers }: RawRequest): Promise<OutRecord> => {
    const value = bytes === undefined ? await encode(topic, fields ?? {}) : bytes;
    const all = { kafka_correlationId: randomBytes(16), kafka_replyTopic: replyTopic, ...headers };
    const given = Object.entries(all).flatMap(([name, header]) =>
      header === undefined ? [] : [[name, header] as const],
    );
    const base = { topic, value, headers: Object.fromEntries(given), ...(partition !== undefined && { partition }) };
    return { ...base, key: typeof key === "string" ? Buffer.from(key) : (key ?? null) };
  };

  const read = (topic: RawRequest["topic"], reply: InRecord): RawReply => {
    const type = avsc.Type.forSchema(commandSchemas[topic].reply as unknown as avsc.Schema);
    const { outcome: body } = type.fromBuffer(reply.value!.subarray(wireHeader)) as { outcome: RawReply["body"] };
    const sealed = Object.values(body)[0]?.["sealed"];
    const secrets = typeof sealed === "string" ? (JSON.parse(sealed) as Record<string, unknown>) : {};
    return { record: reply, outcome: String(reply.headers["auth-outcome"]), body, secrets };
  };

  return {
    replies,
    encode,
    record,
    read,
    send: async (request) => fleet.kafka.produce([await record(request)]),
    async ask(request) {
      const made = await record(request);
      const id = made.headers["kafka_correlationId"];
      await fleet.kafka.produce([made]);
      const reply = await replies.last(
        replyTopic,
        (each) => String(each.headers["kafka_correlationId"]) === String(id),
      );
      return read(request.topic, reply);
    },
  };
}
