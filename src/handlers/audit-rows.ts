// The audit rows of a change: one for each of its events, under the same id. What an event says is personal unless it is listed here, and is then
// readable for as long as its user exists (crypto/audit.ts); so a new event is audited and cannot forget anything.
import { type AuditEntry, sealEntry } from "../crypto/audit.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import type { OutboxRow } from "../db/commit.ts";
import type { AuditedEvent } from "./context.ts";
import { eventTopic } from "./outbox-rows.ts";

/** Fields of events that say nothing of a person: they outlive him. */
const impersonal = new Set([
  ...[
    "cause",
    "change",
    "code",
    "command",
    "everywhere",
    "kid",
    "mailed",
    "method",
    "methods",
    "more",
    "nobody",
    "operator",
    "permission",
    "permissions",
    "proof",
    "required",
    "role",
    "roles",
    "target", // an id, a role or an operator
    "until",
  ],
]);

/** The reason of a deletion is all that is left to explain it: its user's key goes in the same moment. A role and an operator have no user at all. */
const outliving: Readonly<Record<string, ReadonlySet<string>>> = {
  OperatorAdded: new Set(["reason"]),
  OperatorRemoved: new Set(["reason"]),
  RoleChanged: new Set(["reason"]),
  RoleDeleted: new Set(["reason"]),
  UserDeleted: new Set(["reason"]),
};

/**
 * An event that nobody hears of, because it is about nobody, says so: `nobody` among its details.
 * @param outcome `ok`, or the code of the refusal that is the request's answer @returns a sealed row each, in the order of the events
 */
export function auditRows(
  outbox: readonly OutboxRow[],
  how: { userId: number | null; outcome: string; dataKeys: DataKeys },
): Buffer[] {
  return outbox
    .filter(({ topic }) => topic === eventTopic)
    .map((row) => auditRow(row.unheard ? { ...row, body: { ...(row.body as object), nobody: true } } : row, how));
}

/** @returns the sealed row of one event */
export function auditRow(
  event: AuditedEvent,
  { userId, outcome, dataKeys }: { userId: number | null; outcome: string; dataKeys: DataKeys },
): Buffer {
  return sealEntry(dataKeys, entryOf(event, { userId, outcome }));
}

function entryOf(row: AuditedEvent, { userId, outcome }: Pick<AuditEntry, "userId" | "outcome">): AuditEntry {
  const { eventId, kind: event, actor, traceparent } = row;
  const { at, ...body } = row.body as Record<string, unknown> & { at: number };
  const clear = (name: string): boolean => impersonal.has(name) || outliving[event]?.has(name) === true;
  const said = Object.entries(body).filter(([, value]) => value !== null && value !== undefined);
  const personal = said.filter(([name]) => !clear(name));
  return {
    eventId,
    at,
    event,
    actor,
    userId,
    outcome,
    traceparent,
    details: Object.fromEntries(said.filter(([name]) => clear(name))),
    personal: personal.length === 0 ? null : Object.fromEntries(personal),
  };
}
