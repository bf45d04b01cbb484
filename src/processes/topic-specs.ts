// Every topic with its settings, and every schema with its subject: what `migrate` creates or verifies.

import type { Compatibility } from "../bus/avro/schema-store.ts";
import { maxDeadLetterBytes, maxRequestBytes } from "../bus/dead-letter.ts";
import { maxReportBytes } from "../bus/fleet-report.ts";
import type { Config } from "../config/read.ts";
import { auditTopic } from "../db/audit.ts";
import { revocationTopic } from "../db/revocations.ts";
import type { TopicSpec } from "../kafka/kafka.ts";
import { deadLetterTopic, fleetTopic } from "../protocol/bus-names.ts";
import { commandSchemas, eventSchemas, mailSchema } from "../protocol/generated/schemas.ts";
import { keyTopic } from "../protocol/key-records.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export interface SubjectSpec {
  subject: string;
  schema: object;
  compatibility: Compatibility;
}

interface NamedSchema {
  namespace: string;
  name: string;
}

/**
 * Requests are BACKWARD (new workers read old requesters), replies and events FORWARD (old readers read new writers).
 */
export function subjects(): SubjectSpec[] {
  const commands = Object.entries(commandSchemas).flatMap(([topic, { request, reply }]): SubjectSpec[] => [
    { subject: `${topic}-value`, schema: request, compatibility: "BACKWARD" },
    { subject: fullName(reply), schema: reply, compatibility: "FORWARD" },
  ]);
  const events = [...Object.values(eventSchemas), mailSchema].map(
    (schema): SubjectSpec => ({ subject: fullName(schema), schema, compatibility: "FORWARD" }),
  );
  return [...commands, ...events];
}

/** Schemas by subject, for a codec. */
export function schemasBySubject(): Record<string, object> {
  return Object.fromEntries(subjects().map(({ subject, schema }) => [subject, schema]));
}

function fullName({ namespace, name }: NamedSchema): string {
  return `${namespace}.${name}`;
}

export const legacyInbound = ["delete", "check_verified", "admin_delete_user", "admin_ban_user"] as const;
const legacyOutbound = { auth: hour, registration: 7 * day };

/** @param tokenLifeMs the longest lifetime that access tokens ever had; revocations are kept that long */
export function topics(config: Config, tokenLifeMs: number = config.AUTH_ACCESS_TTL): TopicSpec[] {
  const spec = (topic: string, settings: Record<string, string>): TopicSpec => ({
    topic,
    partitions: config.AUTH_PARTITIONS.find((rule) => rule.pattern.test(topic))?.partitions ?? 6,
    replication: config.AUTH_REPLICATION,
    config: settings,
  });
  const request = { ...kept(hour), "segment.ms": "600000", "max.message.bytes": String(maxRequestBytes) };
  const legacy = config.AUTH_LEGACY_TOPICS
    ? [
        ...Object.entries(legacyOutbound).map(
          ([topic, ms]) => spec(topic, { ...kept(ms), "segment.ms": String(ms / 6) }), // the open segment is never deleted
        ),
        ...legacyInbound.map((topic) => spec(topic, kept(7 * day))),
      ]
    : [];
  return [
    ...Object.keys(commandSchemas).map((topic) => spec(topic, request)),
    ...config.AUTH_REPLY_SERVICES.map((service) =>
      spec(`auth.reply.${service}`, { ...kept(hour), "segment.ms": "600000" }),
    ),
    spec("auth.event", kept(7 * day)),
    spec("auth.mail", kept(day)),
    {
      ...spec(revocationTopic, {
        ...kept(tokenLifeMs + 10 * minute),
        "cleanup.policy": "delete",
        "segment.ms": String(10 * minute), // the open segment is never deleted
      }),
      atLeast: ["retention.ms"], // never lowered, in case the table token_life is newer than the topic
    },
    { ...spec(keyTopic, { "cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime" }), partitions: 1 },
    { ...spec(auditTopic, kept(config.AUTH_AUDIT_RETENTION)), partitions: 1 },
    {
      ...spec(fleetTopic, {
        ...kept(10 * minute),
        "segment.ms": String(minute),
        "max.message.bytes": String(maxReportBytes + 1024), // plus the batch around it
      }),
      partitions: 1,
    },
    spec(deadLetterTopic, { ...kept(30 * day), "max.message.bytes": String(maxDeadLetterBytes) }),
    ...legacy,
  ];
}

/** Records have the broker's time: timeouts count from it, so other clocks do not matter. */
function kept(ms: number): Record<string, string> {
  return { "retention.ms": String(ms), "message.timestamp.type": "LogAppendTime" };
}
