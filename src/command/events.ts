// Events state what a command did. From the events of a commit this file derives the records that others read:
// auth.event, and in auth.revocation what each event revokes of access tokens in use; audit-rows.ts derives the audit
// rows. No event contains an e-mail address or a secret.
import { revocationTopic } from "../db/revocations.ts";
import type { Events } from "../protocol/generated/schemas.ts";

type Common = "eventId" | "at" | "userId" | "sequence" | "actor" | "traceparent";
type Body<Name extends keyof Events> = Omit<Events[Name], Common>;

export type DomainEvent = { [Name in keyof Events]: { event: Name; body: Body<Name> } }[keyof Events];

/** Makes an event; its name determines the fields of its body. */
export function event<Name extends keyof Events>(event: Name, body: Body<Name>): DomainEvent {
  return { event, body } as DomainEvent;
}

/**
 * What an event revokes. `sessions`: these sessions. "outdated": all access tokens issued so far; open sessions get a
 * current one by refreshing. "over": the same, and no session is left that could refresh.
 */
type Revokes = { sessions: readonly string[] } | "outdated" | "over" | "nothing";

/** Complete by type, so a new event must say what it revokes. */
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

/** The user of a change, as far as revocations need it. */
export interface Revoked {
  id: number;
  /** The user's generation after the change; a change with an event that outdates tokens has raised it. */
  generation?: number;
}

export interface RevocationRecord {
  topic: string;
  key: string;
  body: Record<string, unknown>;
}

/**
 * The records of auth.revocation for an event (docs/protocol.md). They are JSON, not Avro, so that a verifier in any
 * language works without the schema registry; the values are small anyway. A record may come twice, and an older one
 * may follow a newer one after a stalled relay: readers keep the highest minGeneration. The database adds `at`, its own
 * time, on insert (migrations/0015).
 * @throws Error where the change raises the generation and no event says so, or the reverse
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
