// Events: what a command made true. A handler commits events; the rows that tell others about them derive from them
// here: the event in auth.event, what it takes away from access tokens that are under way, in auth.revocation, and its
// row of the audit (audit-rows.ts). No event carries an e-mail address or a secret.
import { revocationTopic } from "../db/revocations.ts";
import type { Events } from "../protocol/generated/schemas.ts";

type Common = "eventId" | "at" | "userId" | "sequence" | "actor" | "traceparent";
type Body<Name extends keyof Events> = Omit<Events[Name], Common>;

export type DomainEvent = { [Name in keyof Events]: { event: Name; body: Body<Name> } }[keyof Events];

/** Makes an event; its name decides what it must say. */
export function event<Name extends keyof Events>(event: Name, body: Body<Name>): DomainEvent {
  return { event, body } as DomainEvent;
}

/**
 * What an event revokes. Sessions: these are over. "outdated": every access token of the user from before; sessions
 * that go on get a current one by a refresh. "over": those too, and there is no session left that could refresh.
 */
type Revokes = { sessions: readonly string[] } | "outdated" | "over" | "nothing";

/** Every event is here, so that a new one cannot forget to say. */
const revokes: { [Name in keyof Events]: (body: Body<Name>) => Revokes } = {
  AdminRefused: () => "nothing",
  ConfirmationRequested: () => "nothing",
  DataExported: () => "nothing",
  EmailChangeRequested: () => "nothing",
  EmailChanged: () => "nothing",
  LoggedIn: () => "nothing",
  LoginChallenged: () => "nothing",
  LoggedOut: ({ sessionId, everywhere }) => (everywhere ? "over" : { sessions: [sessionId] }),
  LoginRefused: () => "nothing",
  MfaChanged: ({ change }) => (change === "recovery-codes" ? "nothing" : change === "reset" ? "over" : "outdated"),
  MfaRefused: () => "nothing",
  MfaRequirementChanged: () => "nothing",
  OperatorAdded: () => "nothing",
  OperatorRemoved: () => "nothing",
  PasswordChanged: () => "outdated",
  PasswordRefused: () => "nothing",
  PasswordReset: () => "over",
  PasswordResetRequested: () => "nothing",
  RefreshReused: ({ sessionId }) => ({ sessions: [sessionId] }),
  RoleChanged: () => "nothing",
  RoleDeleted: () => "nothing",
  RolesChanged: () => "outdated",
  SessionRefreshed: () => "nothing",
  SessionsRevoked: ({ sessionIds, kept }) =>
    sessionIds.length > 0 ? { sessions: sessionIds } : kept === null ? "over" : "outdated",
  UserBanned: () => "over",
  UserConfirmed: () => "nothing",
  UserDeleted: () => "over",
  UserRegistered: () => "nothing",
  UserUnbanned: () => "nothing",
  UserUnlocked: () => "nothing",
};

/** What revocations need of the user of a change. */
export interface Revoked {
  id: number;
  /** The user's generation after the change; where an event outdates tokens, the change has raised it. */
  generation?: number;
}

export interface RevocationRecord {
  topic: string;
  key: string;
  body: Record<string, unknown>;
}

/**
 * The records of auth.revocation for an event (docs/protocol.md). JSON, though commands and events are Avro: a
 * verifier in any language then needs neither a registry nor its being up, and the values are smaller than a schema id
 * would be worth. A record may come twice, and after a relay that hung even an older one after a newer: a reader keeps
 * the highest minGeneration. The database adds `at`, its own time, when the row is written (migrations/0015).
 * @throws Error where a change and its events disagree whether the user's generation rises
 */
export function revocationRecords(events: readonly DomainEvent[], user: Revoked | undefined): RevocationRecord[] {
  const all = events.map(({ event, body }) => (revokes[event] as (body: object) => Revokes)(body));
  const sessions = all.flatMap((each) => (typeof each === "object" ? each.sessions : []));
  const byUser = all.filter((each) => each === "outdated" || each === "over");
  if (byUser.length > 0 !== (user?.generation !== undefined))
    throw new Error(
      `${events.map(({ event }) => event).join(", ")}: the change must raise the generation, or must not`,
    );
  const records = sessions.map((id) => ({ topic: revocationTopic, key: `s:${id}`, body: {} }));
  if (user === undefined || byUser.length === 0) return records;
  const ended = byUser.includes("over") ? { ended: true } : {};
  const body = { minGeneration: user.generation, ...ended };
  return [...records, { topic: revocationTopic, key: `u:${user.id}`, body }];
}
