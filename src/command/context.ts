// What a handler is given: reads, one commit, passwords, tokens, the time. It knows no Kafka and no SQL text.
// The first read asks the inbox too; where the request has its answer already, read or commit throw Kept, and run.ts gives that answer.
import type { Call } from "../bus/command.ts";
import type { SecretBox } from "../crypto/envelope.ts";
import type { RelyingParty } from "../crypto/passkeys.ts";
import type { PasswordPolicy } from "../crypto/password-policy.ts";
import type { Tokens } from "../crypto/tokens.ts";
import type { MailCount } from "../db/address-mails.ts";
import type { AttemptRules } from "../db/attempts.ts";
import type { Commit, OutboxRow } from "../db/commit.ts";
import type { InboxRow } from "../db/inbox.ts";
import type { Read, Write } from "../db/statements.ts";
import type { Refusal, RefusalCode } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import type { Attempt, Reservation } from "./attempts.ts";
import type { DomainEvent } from "./events.ts";
import type { UseRules, Using } from "./uses.ts";

/** Passwords as a handler uses them: each hash waits for its turn in the hash lane, inside the request's time. */
export interface HandlerPasswords {
  hash(password: string): Promise<string>;
  /** @param stored undefined for an unknown login: costs the same and is never ok */
  verify(password: string, stored: string | undefined): Promise<{ ok: boolean; stale: boolean }>;
}

/** A record for another topic than auth.event. */
export interface Message {
  topic: string;
  key: string;
  kind: "json" | "mail";
  /** What may stand in clear in the outbox. */
  body: Record<string, unknown>;
  /** What may not; merged into the body when the record is published. */
  secret?: Record<string, unknown>;
  /** Default true. False: it is written like any other, so that it costs the same, and never published. */
  publish?: boolean;
}

/** What links and mails are made with: a handler's context, or maintenance. */
export interface MailMaker {
  settings: Pick<Settings, "confirmTtlMs" | "legacyTopics" | "mailLocale">;
  uuid(): string;
  now(): number;
  audited(event: AuditedEvent, userId: number): Buffer;
}

/** What an event's audit row is made from. */
export type AuditedEvent = Pick<OutboxRow, "eventId" | "kind" | "actor" | "traceparent" | "body">;

export interface Change {
  /** Locks and numbers the user the events are about; absent where there is none. */
  user?: {
    id: number;
    subject: NonNullable<Commit["subject"]>;
    /** Where `subject` raises the user's generation, which it then must demand as it was read: what it is afterwards. */
    generation?: number;
    /** `subject` deletes the user. */
    deleted?: true;
  };
  /** Key of the events where there is no user. */
  key?: string;
  events: DomainEvent[];
  /**
   * Default true. False: the events are about a dummy user (db/dummy-user.ts). They are written, so that it costs the same, and never
   * published.
   */
  publish?: boolean;
  writes?: Write[];
  messages?: Message[];
  /** Who did it; default the user himself, or anonymous. */
  actor?: string;
}

/** A session, and the generation of its user, as the access token of a command was judged by. */
export interface ActingSession {
  sessionId: string;
  userId: number;
  generation: number;
}

export interface Settings {
  /** AUTH_ISSUER. */
  issuer: string;
  accessTtlMs: number;
  refreshTtlMs: number;
  refreshIdleMs: number;
  refreshGraceMs: number;
  cookieMaxAgeMs: number;
  /** Sessions a user may have. */
  sessionsMax: number;
  confirmTtlMs: number;
  resetTtlMs: number;
  /** How long a login that was given up is taken for others. */
  loginQuarantineMs: number;
  mailsPerHour: number;
  mailLocale: string;
  hideEmail: boolean;
  legacyTopics: boolean;
  attempts: AttemptRules;
  /** Reply topics whose requesters confirm by the link alone. */
  confirmWithoutProof: readonly string[];
  uses: UseRules;
  challengeTtlMs: number;
  /** How old a login may be for what changes how its user logs in. */
  stepUpMaxAgeMs: number;
  totpIssuer: string;
  party: RelyingParty;
}

/** Mails that AUTH_MAILS_PER_HOUR counts, each kind by itself; `confirm` is every link that makes an address somebody's. */
export type CountedMail = "confirm" | "reset";

/** What shows, beside the link, that whoever confirms an account is whoever registered. */
export type Proof = "secret" | "password" | "none";

/** Of an audit row, sealed. */
export interface PersonalPart {
  eventId: string;
  personal: Buffer;
}

export interface Context {
  call: Call;
  settings: Settings;
  tokens: Tokens;
  passwords: HandlerPasswords;
  /** What a new password must be. */
  policy: PasswordPolicy;
  /** The key that successors of refresh tokens are derived with: the newest, or the one a session was opened with. */
  refreshKey(id?: number): { id: number; key: Buffer };
  /** Encrypts the secrets of authenticator apps. */
  mfaBox(): SecretBox;
  /** Seals rows of operators. */
  operatorBox(): SecretBox;
  /** What user handles of passkeys are made with; the oldest, because they must stay the same. 32 bytes. */
  passkeyKey(): Buffer;
  jwks(): string;
  /** A device token for this record key: that of the request renewed, where it came with one that is known, else a new one. */
  deviceToken(given: { recordKey: string; epoch: number }): string;
  /** Opens what is personal in the user's audit rows. @param subjectBox his key, as it is kept */
  personalOf(userId: number, subjectBox: Buffer): (row: PersonalPart) => Record<string, unknown>;
  now(): number;
  uuid(): string;
  /** The audit row of an event that the commit itself may add (db/sessions.ts), sealed. */
  audited(event: AuditedEvent, userId: number): Buffer;
  /** At most one row. */
  read<T>(read: Read<T>): Promise<T | null>;
  /**
   * The same, and in the same statement counts an attempt at a secret before it is verified. Counted it stays, unless `refund` is among
   * the writes of the commit. The handler must also say whose `attempt` its request is (define.ts).
   * @throws Refusal THROTTLED with retryAfterMs: nothing was counted, and nothing may be verified
   */
  reserveAttempt<T>(attempt: Attempt, read: Read<T>): Promise<Reservation & { row: T | null }>;
  /**
   * The same as `read`, and in the same statement counts a use under the limits across accounts (uses.ts). It stays counted, unless `refund` is
   * among the writes of the commit. @throws Refusal THROTTLED with retryAfterMs: nothing was counted, and nothing may be done
   */
  countUse<T>(using: Using, read: Read<T>): Promise<{ row: T | null; refund: Write }>;
  /** In a statement of its own, where whom the requester serves is known only after the first read. @throws Refusal THROTTLED */
  countUseAlone(using: Using): Promise<{ refund: Write }>;
  /**
   * Belongs into the commit that opens a session where the attempt that began the login is long over (a challenge was answered), or there
   * was none (a passkey alone): what a reservation's `remember` does.
   */
  rememberDevice(user: { id: number; login: string }, client: Client | null): Write[];
  /** What a login that was given up is found by (db/given-up-logins.ts). */
  loginHash(loginKey: string): Buffer;
  /** Belongs into the commit that deletes a user: the login stays taken for others, where it was ever confirmed. */
  keepLogin(user: { login: string; confirmed: boolean }): Write[];
  /** What a mail to the address is counted by. */
  mailCount(kind: CountedMail, email: string): MailCount;
  /** For the metrics, after the commit. */
  countConfirmed(proof: Proof): void;
  /**
   * The command is given in this session. From here on every commit demands that it stands: that neither it was ended nor its user's rights
   * were changed by what was committed meanwhile.
   */
  actIn(session: ActingSession): void;
  /** Asks the inbox where no read did: before a refusal that only time has brought about, such as an expired token. */
  checkInbox(): Promise<void>;
  /** Writes everything in one statement, keeps `result` as the request's answer, and returns it. */
  commit<R extends object>(change: Change, result: R): Promise<R>;
  /** Whether the audit gets a row of this refused attempt of an administrator (admin/denials.ts). */
  admitDenial(actor: string): boolean;
  /** Commits what happened and keeps no answer: the same request may be carried out later, and asked again it is noted again. */
  commitAuditOnly(change: Change, code: RefusalCode): Promise<void>;
  /** Commits what a refusal counted or sent, keeps the refusal as the answer, and throws it. */
  commitRefusal(change: Change, refusal: Refusal): Promise<never>;
}

/** The request has its answer already. */
export class AlreadyAnswered extends Error {
  override readonly name = "Kept";
  readonly row: InboxRow;

  constructor(row: InboxRow) {
    super("answered before");
    this.row = row;
  }
}
