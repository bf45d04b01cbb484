// What a handler is given. Every handler has the core: the time, reads, the acting session and one commit. Everything
// else (hashing a password, counting an attempt, opening a session) is a capability that the handler names in `needs`
// (define.ts). A capability that is not named does not compile, so the top of a handler shows what it uses. Handlers
// know neither Kafka nor SQL. The first read of a handler also looks into the inbox: if the request was answered
// before, the read or the commit throws AlreadyAnswered, and run.ts returns the stored answer.
import type { Call } from "../bus/command.ts";
import type { AccessReader } from "../crypto/access-tokens.ts";
import type { DataCipher } from "../crypto/envelope.ts";
import type { RelyingParty } from "../crypto/passkeys.ts";
import type { PasswordPolicy } from "../crypto/password-policy.ts";
import type { Tokens } from "../crypto/tokens.ts";
import type { MailCount } from "../db/address-mails.ts";
import type { AttemptRules } from "../db/attempts.ts";
import type { Commit, OutboxRow } from "../db/commit.ts";
import type { Read, Write } from "../db/statements.ts";
import type { Refusal, RefusalCode } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import type { Attempt, AttemptReservation } from "./attempts.ts";
import type { DomainEvent } from "./events.ts";
import type { ClientUse, UseRules } from "./uses.ts";

/** Password hashing for handlers: each hash waits in the hash lane, bounded by the request's deadline. */
export interface HandlerPasswords {
  /** The rules for new passwords. */
  policy: PasswordPolicy;
  hash(password: string): Promise<string>;
  /** @param stored undefined for an unknown login: verifying costs the same and never succeeds */
  verify(password: string, stored: string | undefined): Promise<{ ok: boolean; stale: boolean }>;
}

/** A record for another topic than auth.event. */
export interface Message {
  topic: string;
  key: string;
  kind: "json" | "mail";
  /** The part that the outbox may hold unencrypted. */
  body: Record<string, unknown>;
  /** The part that the outbox holds encrypted; merged into the body on publishing. */
  secret?: Record<string, unknown>;
  /** Default true. False: the row is written, so that it costs the same, and never published. */
  publish?: boolean;
}

/** What making links and mails needs: a handler's context has it, and so has maintenance. */
export interface MailMaker {
  settings: Pick<Settings, "confirmTtlMs" | "legacyTopics" | "mailLocale">;
  uuid(): string;
  now(): number;
  audited(event: AuditedEvent, userId: number): Buffer;
}

/** The input of an event's audit row. */
export type AuditedEvent = Pick<OutboxRow, "eventId" | "kind" | "actor" | "traceparent" | "body">;

export interface Change {
  /** The user the events are about, whose row is locked and numbers them; absent where the events have no user. */
  user?: {
    id: number;
    lock: NonNullable<Commit["lock"]>;
    /**
     * The user's generation after the change, where `lock` raises it. `lock` must then demand the generation that
     * was read.
     */
    generation?: number;
    /** `lock` deletes the user. */
    deleted?: true;
  };
  /** Record key of the events where there is no user. */
  key?: string;
  events: DomainEvent[];
  /**
   * Default true. False: the events are about a dummy user (db/dummy-user.ts). They are written, so that the commit
   * costs the same, and never published.
   */
  publish?: boolean;
  writes?: Write[];
  messages?: Message[];
  /** The actor. Default: the user the events are about, or anonymous. */
  actor?: string;
}

/** The session of an access token, and its user's generation when the token was checked. */
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
  /** The most sessions one user may have. */
  sessionsMax: number;
  confirmTtlMs: number;
  resetTtlMs: number;
  /** How long a released login stays reserved. */
  loginQuarantineMs: number;
  mailsPerHour: number;
  mailLocale: string;
  hideEmail: boolean;
  legacyTopics: boolean;
  attempts: AttemptRules;
  /** Reply topics whose requesters may confirm an account with the link alone. */
  confirmWithoutProof: readonly string[];
  uses: UseRules;
  challengeTtlMs: number;
  /** The maximum age of a login for commands that change how the user logs in. */
  stepUpMaxAgeMs: number;
  /** Its name, as authenticator apps and passkey dialogs show it. */
  product: string;
  party: RelyingParty;
}

/**
 * The kinds of mail that AUTH_MAILS_PER_HOUR counts, each separately. `confirm` covers every link that confirms an
 * address.
 */
export type CountedMail = "confirm" | "reset";

/** What proves, besides the link, that the person who confirms an account is the person who registered it. */
export type Proof = "secret" | "password" | "none";

/** The encrypted part of an audit row. */
interface PersonalPart {
  eventId: string;
  personal: Buffer;
}

/** What every handler has. */
export interface CoreContext {
  call: Call;
  settings: Settings;
  now(): number;
  uuid(): string;
  /** Reads access tokens. */
  tokens: AccessReader;
  /**
   * Runs the command in this session. Every later commit of the handler demands that the session still exists and that
   * its user's rights have not changed since the token was checked.
   */
  actIn(session: ActingSession): void;
  /** Reads at most one row. */
  read<T>(read: Read<T>): Promise<T | null>;
  /**
   * Looks into the inbox in a handler that has read nothing. Call it before a refusal that depends on time alone (an
   * expired token): a repeated request must get its first answer.
   */
  checkInbox(): Promise<void>;
  /** The encrypted audit row of an event that the commit itself may add (db/sessions.ts). */
  audited(event: AuditedEvent, userId: number): Buffer;
  /** Writes everything in one statement, stores `result` as the request's answer, and returns it. */
  commit<R extends object>(change: Change, result: R): Promise<R>;
  /** Commits what a refusal counted or sent, stores the refusal as the answer, and throws it. */
  commitRefusal(change: Change, refusal: Refusal): Promise<never>;
}

/** What only some commands may do. */
export interface Capabilities {
  passwords: HandlerPasswords;
  /** Attempts at a password or a code. The handler must also define `attempt` (define.ts). */
  attempts: {
    /**
     * Reads, and in the same statement counts an attempt before the secret is verified. It stays counted unless the
     * commit includes `refund`.
     * @throws Refusal THROTTLED with retryAfterMs: nothing was counted, and nothing may be verified
     */
    reserve<T>(attempt: Attempt, read: Read<T>): Promise<AttemptReservation & { row: T | null }>;
  };
  /** Limits across accounts (uses.ts). */
  uses: {
    /**
     * Reads, and in the same statement counts a use. It stays counted unless the commit includes `refund`.
     * @throws Refusal THROTTLED with retryAfterMs: nothing was counted, and nothing may be done
     */
    count<T>(using: ClientUse, read: Read<T>): Promise<{ row: T | null; refund: Write }>;
    /**
     * The same in a statement of its own, for handlers that learn the client only from their first read. @throws
     * Refusal THROTTLED
     */
    countAlone(using: ClientUse): Promise<{ refund: Write }>;
  };
  mails: {
    /** The counter for mails of this kind to this address. */
    count(kind: CountedMail, email: string): MailCount;
  };
  /** The tokens of a session. */
  sessions: Pick<Tokens, "issueAccess"> & {
    /** The key that derives successors of refresh tokens: the newest one, or the one a session was opened with. */
    refreshKey(id?: number): { id: number; key: Buffer };
    /** A device token for this record key: the request's own one renewed if it is valid, otherwise a new one. */
    deviceToken(given: { recordKey: string; epoch: number }): string;
    /**
     * Remembers the device in a commit that opens a session without an attempt of its own: after a challenge, or with a
     * passkey alone. Other commits use the reservation's `remember`.
     */
    rememberDevice(user: { id: number; login: string }, client: Client | null): Write[];
  };
  mfa: {
    /** Encrypts the secrets of authenticator apps. */
    cipher(): DataCipher;
  };
  passkeys: {
    /** The key of user handles, 32 bytes: always the oldest key, because handles must never change. */
    handleKey(): Buffer;
  };
  operators: {
    /** Encrypts the rows of operators. */
    cipher(): DataCipher;
  };
  /** Released logins stay reserved for a while (db/quarantined-logins.ts). */
  quarantinedLogins: {
    /** The hash that a quarantined login is stored under. */
    hash(loginKey: string): Buffer;
    /** Reserves the login in the commit that deletes its user, if the account was ever confirmed. */
    keep(user: { login: string; confirmed: boolean }): Write[];
  };
  personalData: {
    /** Decrypts the personal part of the user's audit rows. @param encryptedUserKey the user's encrypted key */
    reader(userId: number, encryptedUserKey: Buffer): (row: PersonalPart) => Record<string, unknown>;
  };
  /** Administrative requests that were refused (admin/denials.ts). */
  denials: {
    /** Whether this refusal gets an audit row. */
    mayWriteRow(actor: string): boolean;
    /** Commits the audit row and stores no answer: the same request may succeed later. */
    commitAuditOnly(change: Change, code: RefusalCode): Promise<void>;
  };
  /** The fleet's public keys. */
  keys: {
    jwks(): string;
  };
  metrics: {
    /** Call it after the commit. */
    countConfirmed(proof: Proof): void;
  };
}

export type Capability = keyof Capabilities;

/** The core, and the capabilities that a handler names. */
export type Context<C extends Capability = never> = CoreContext & Pick<Capabilities, C>;
