// The audit rows of a change: one for each of its events, under the same id. What an event says is personal unless it
// is listed here, and is then readable for as long as its user exists (crypto/audit.ts); so a new event is audited and
// cannot forget anything. What the change makes of its user's account goes with its last event, as digests that audit
// verify --state compares accounts with. The statements say it themselves (db/statements.ts), so no handler can forget
// that either.
import { type AuditEntry, sealEntry, stateDigest, stateField } from "../crypto/audit.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import { kindOf } from "../db/account-state.ts";
import type { OutboxRow } from "../db/commit.ts";
import type { StateChange } from "../db/statements.ts";
import type { AuditedEvent, Change } from "./context.ts";
import { eventTopic } from "./outbox-rows.ts";

/** Fields of events that say nothing of a person: they stay when the user is erased. */
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
 * The reason of a deletion is all that is left to explain it: its user's key goes in the same moment. A role and an
 * operator have no user at all.
 */
const outliving: Readonly<Record<string, ReadonlySet<string>>> = {
  OperatorAdded: new Set(["reason"]),
  OperatorRemoved: new Set(["reason"]),
  RoleChanged: new Set(["reason"]),
  RoleDeleted: new Set(["reason"]),
  UserDeleted: new Set(["reason"]),
};

/**
 * An event that nobody hears of, because it is about nobody, says so: `nobody` among its details.
 * @param outcome `ok`, or the code of the refusal that is the request's answer
 * @returns a sealed row each, in the order of the events
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
  const state = stateOf([...(user?.subject.state ?? []), ...writes.flatMap((write) => write.state ?? [])], dataKeys);
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

/** The fields of an event's row that say it; of several changes of one aspect the last counts. */
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
