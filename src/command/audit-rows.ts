// The audit rows of a change: one per event, with the event's id. Every field of an event counts as personal unless it
// is listed here; personal fields stay readable only as long as their user exists (crypto/audit.ts). A new event is
// therefore audited, and its fields are protected, without further code. The last event's row also carries digests of
// the account aspects that the change set, which `audit verify --state` compares with the tables. The statements
// declare these aspects themselves (db/statements.ts).
import { type AuditEntry, encryptEntry, stateDigest, stateField } from "../crypto/audit.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import { kindOf } from "../db/account-state.ts";
import type { OutboxRow } from "../db/commit.ts";
import type { StateChange } from "../db/statements.ts";
import type { AuditedEvent, Change } from "./context.ts";
import { eventTopic } from "./outbox-rows.ts";

/** Event fields that are not personal: they remain when the user is erased. */
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
    stateField.aspects,
    "target", // an id, a role or an operator
    "until",
  ],
]);

/**
 * A deletion destroys the user's key in the same commit, so its reason must not be personal, or nothing would explain
 * it. Events of roles and operators have no user at all.
 */
const outliving: Readonly<Record<string, ReadonlySet<string>>> = {
  OperatorAdded: new Set(["reason"]),
  OperatorRemoved: new Set(["reason"]),
  RoleChanged: new Set(["reason"]),
  RoleDeleted: new Set(["reason"]),
  UserDeleted: new Set(["reason"]),
};

/**
 * The details of events about a dummy user contain `nobody: true`.
 * @param outcome `ok`, or the code of the refusal that answers the request
 * @returns one encrypted row per event, in the order of the events
 */
export function auditRows(
  outbox: readonly OutboxRow[],
  {
    change: { user, writes = [], publish = true },
    outcome,
    dataKeys,
  }: { change: Change; outcome: string; dataKeys: DataKeys },
): Buffer[] {
  const how = { userId: (publish && user?.id) || null, outcome, dataKeys };
  const events = outbox.filter(({ topic }) => topic === eventTopic);
  const state = stateOf([...(user?.lock.state ?? []), ...writes.flatMap((write) => write.state ?? [])], dataKeys);
  if (state !== undefined && events.length === 0) throw new Error("a change of an account's state must be an event");
  return events.map((row, at) => {
    const body = {
      ...(row.body as object),
      ...(!row.publish && { nobody: true }),
      ...(at === events.length - 1 && state),
    };
    return auditRow({ ...row, body }, how);
  });
}

/** The row fields that describe the account's state; of several changes to one aspect the last one counts. */
export function stateOf(changes: readonly StateChange[], dataKeys: DataKeys): Record<string, unknown> | undefined {
  if (changes.length === 0) return undefined;
  const digests = Object.fromEntries(
    changes.map(({ aspect, value }) => [aspect, stateDigest(dataKeys, aspect, value)]),
  );
  return {
    [stateField.digests]: digests,
    [stateField.aspects]: [...new Set(Object.keys(digests).map(kindOf))],
  };
}

/** @returns the encrypted row of one event */
export function auditRow(
  event: AuditedEvent,
  { userId, outcome, dataKeys }: { userId: number | null; outcome: string; dataKeys: DataKeys },
): Buffer {
  return encryptEntry(dataKeys, entryOf(event, { userId, outcome }));
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
