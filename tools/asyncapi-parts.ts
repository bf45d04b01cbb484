// What docs/asyncapi.yaml says beside the schemas: what each topic that is no command is for, the JSON of the feeds,
// and the headers.
import { z } from "zod";
import { reportSchema } from "../src/bus/fleet-report.ts";
import { sharedHeaders } from "../src/bus/headers.ts";
import { busNames, deadLetterHeaders } from "../src/protocol/bus-names.ts";

const names = { ...sharedHeaders, ...busNames.headers };

type Schema = Record<string, unknown>;

const text = (description: string, more: Schema = {}): Schema => ({ type: "string", description, ...more });
const time = (description: string): Schema => ({ type: "integer", description: `${description}, Unix ms.` });
const object = (properties: Record<string, Schema>, required: string[] = [], description?: string): Schema => ({
  type: "object",
  ...(description && { description }),
  properties,
  ...(required.length > 0 && { required }),
});

/** The description of a zod schema; what is not named is allowed. */
function jsonSchemaOf(schema: z.ZodType): Schema {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}

/** Of every topic that is no command's. */
export const purposes: Record<string, string> = {
  "auth.event": "What happened to whom: every fact, at least once, numbered per user without gaps.",
  "auth.mail": "Mails to send, their secrets sealed.",
  "auth.revocation":
    "Sessions, generations of users' tokens and keys that count no more; and once a second per partition, up to when that is complete.",
  "auth.key": "The fleet's public keys by kid, with state, times, version and certificate; and which are gone.",
  "auth.audit": "Signed heads of the audit's chain, for others to keep.",
  "auth.fleet": "Who is there and how it does: every process, every two seconds.",
  "auth.dead-letter": "Records that could not be processed, as they came.",
  auth: "To the platform's mailer: a confirmation token in clear.",
  registration: "To the platform: a profile is to be made.",
  delete: "From the platform: a profile was deleted.",
  check_verified: "From the platform's mailer: delete who has not confirmed.",
  admin_delete_user: "From the platform: delete a user.",
  admin_ban_user: "From the platform: ban a user, or lift the ban.",
};

const trace = {
  [names.traceparent]: text("W3C trace context."),
  [names.tracestate]: text("W3C trace context, the vendors' part."),
};

export const headers: Record<string, Schema> = {
  requestHeaders: object(
    {
      [names.correlationId]: text("Any bytes; the reply has them again."),
      [names.replyTopic]: text("Where the reply goes; must match AUTH_REPLY_TOPICS."),
      [names.replyPartition]: text("Decimal text, or a 4-byte big-endian integer; absent: by the record key."),
      [names.timeout]: text("ms from the record's broker time; default 30000, at most 300000.", {
        pattern: "^\\d{1,15}$",
      }),
      [names.deadline]: text("Instead of auth-timeout: Unix ms.", { pattern: "^\\d{1,15}$" }),
      [names.idempotencyKey]: text("128 random bits at least: the same key and request get the first reply again.", {
        minLength: 22,
        maxLength: 256,
      }),
      [names.replyKey]: text("JWK (EC, P-256, public): secrets of the reply are sealed to it.", { maxLength: 1024 }),
      ...trace,
    },
    [names.replyTopic],
  ),
  replyHeaders: object(
    {
      [names.correlationId]: text("As it came."),
      [names.outcome]: text("`ok`, or the code of a refusal."),
      [names.replyMac]: text(
        "base64url of the HMAC-SHA-256 that shows that the fleet has made it for this request; on every reply to one that was opened and has `$reply` inside its seal.",
      ),
      [names.disposed]: text("Empty: ends the observable of a NestJS client."),
      ...trace,
    },
    [names.outcome],
  ),
  eventHeaders: object(
    {
      ce_specversion: text("CloudEvents 1.0, binary mode.", { const: "1.0" }),
      ce_id: text("The eventId: the same when the event comes again."),
      ce_type: text("Full name of the event, e.g. auth.event.LoggedIn."),
      ce_source: text("The fleet.", { const: "auth" }),
      ce_time: text("When it happened, ISO 8601."),
      ce_subject: text("The record key."),
      "content-type": text("Of the value.", { const: "application/vnd.confluent.avro" }),
      [names.traceparent]: trace[names.traceparent]!,
    },
    ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "content-type"],
  ),
  outboxHeaders: object(
    {
      "auth-event-id": text("The same when the record comes again (UUID)."),
      [names.traceparent]: trace[names.traceparent]!,
    },
    ["auth-event-id"],
  ),
  deadLetterHeaders: object(
    {
      [deadLetterHeaders.topic]: text("Where the record lay."),
      [deadLetterHeaders.partition]: text("Its partition, decimal."),
      [deadLetterHeaders.offset]: text("Its offset, decimal."),
      [deadLetterHeaders.timestamp]: text("Its broker time, Unix ms."),
      [deadLetterHeaders.error]: text("Why it is a dead letter."),
      [deadLetterHeaders.at]: text("Since when, ISO 8601."),
      [deadLetterHeaders.cut]: text("How long the value was, where it was cut."),
      [deadLetterHeaders.replayedFrom]: text("The original of a record that was replayed: partition:offset:timestamp."),
    },
    [deadLetterHeaders.topic, deadLetterHeaders.partition, deadLetterHeaders.offset, deadLetterHeaders.error],
    "Beside the record's own.",
  ),
};

export interface JsonPayload {
  key: string;
  payload: Schema;
  headers?: Schema;
}

const outboxHeaders = { $ref: "#/components/schemas/outboxHeaders" };

export const jsonPayloads: Record<string, JsonPayload> = {
  "auth.revocation": {
    key: "`s:<session id>`, `u:<user id>`, `k:<kid>`, `asOf`, or `clock`",
    headers: outboxHeaders,
    payload: object({
      at: time("When it was taken away"),
      minGeneration: { type: "integer", description: "`u:` only: access tokens with a lower `gen` count no more." },
      ended: { type: "boolean", description: "`u:` only: true where the user's sessions are over too." },
      asOf: time("`asOf` only: every revocation committed before is in this partition"),
      tokenLifeMs: { type: "integer", description: "`asOf` only: no access token was ever valid for longer, ms." },
      clock: time("`clock` only: the relay's own time, by which it measures the broker's"),
      database: time("`clock` only: the database's"),
    }),
  },
  "auth.key": {
    key: "kid: the key's RFC 7638 thumbprint",
    headers: outboxHeaders,
    payload: object(
      {
        kid: text("RFC 7638 thumbprint."),
        use: text("sig: signs access tokens; enc: requests are sealed to it.", { enum: ["sig", "enc"] }),
        alg: text("JOSE algorithm."),
        kty: text("Key type (RFC 7517): EC, OKP or RSA. Its public members are the next five."),
        crv: text("Curve, of EC and OKP."),
        x: text("Of EC and OKP, base64url."),
        y: text("Of EC, base64url."),
        n: text("Modulus of RSA, base64url."),
        e: text("Exponent of RSA, base64url."),
        state: text("next: not used yet.", { enum: ["next", "active", "retired"] }),
        createdAt: time("When it was made"),
        activeAt: { type: ["integer", "null"], description: "When it came into use, Unix ms." },
        retiredAt: { type: ["integer", "null"], description: "When another took its place, Unix ms." },
        version: {
          type: "integer",
          minimum: 1,
          description: "Rises with every change; what has a lower one than was seen is none.",
        },
        cert: text("Compact JWS by the fleet's root key, typ fleet-key+jwt; there unless the key is gone."),
        gone: { const: true, description: "The key counts no more, for ever; beside it stand only kid and version." },
      },
      ["kid", "version"],
    ),
  },
  "auth.audit": {
    key: "the audit's partition of the last row that the head covers",
    headers: outboxHeaders,
    payload: object({
      partition: text("The key again."),
      count: { type: "integer", description: "So many rows were ever chained: the number of the last one." },
      chain: text("Its chain value, base64url."),
      at: time("When it was signed"),
      kid: text("Key that signed it; see auth.key."),
      jws: text("partition, count, chain and at, signed: a compact JWS of type audit-head+jwt."),
    }),
  },
  "auth.fleet": {
    key: "id of the process",
    payload: jsonSchemaOf(reportSchema),
  },
};
