// What a handler is given. Every handler has the core: the request's time, reads, who acts, and one commit. What not
// every command may do (hash a password, count an attempt, open a session) is a capability, which a handler names
// (define.ts): without that its code does not compile, so the top of each handler shows what it uses.
// A handler knows no Kafka and no SQL text. Its first read asks the inbox too: where the request has its answer
// already, the read or the commit throws AlreadyAnswered, and run.ts gives that answer.
import type { Call } from "../bus/command.ts";
import type { AccessReader } from "../crypto/access-tokens.ts";
import type { SecretBox } from "../crypto/envelope.ts";
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

/** Passwords as a handler uses them: each hash waits for its turn in the hash lane, inside the request's time. */
export interface HandlerPasswords {
  /** What a new password must be. */
  policy: PasswordPolicy;
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
    /**
     * Where `subject` raises the user's generation, which it then must demand as it was read: what it is afterwards.
     */
    generation?: number;
    /** `subject` deletes the user. */
    deleted?: true;
  };
  /** Key of the events where there is no user. */
  key?: string;
  events: DomainEvent[];
  /**
   * Default true. False: the events are about a dummy user (db/dummy-user.ts). They are written, so that it costs the
   * same, and never published.
   */
  publish?: boolean;
  writes?: Write[];
  messages?: Message[];
  /** Who did it; default the user whom the events are about, or anonymous. */
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
  /** Its name, as authenticator apps and passkey dialogs show it. */
  product: string;
  party: RelyingParty;
}

/**
 * Mails that AUTH_MAILS_PER_HOUR counts, each kind by itself; `confirm` is every link that makes an address somebody's.
 */
export type CountedMail = "confirm" | "reset";

/** What shows, beside the link, that whoever confirms an account is whoever registered. */
export type Proof = "secret" | "password" | "none";

/** Of an audit row, sealed. */
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
   * The command is given in this session. From here on every commit demands that it goes on: that neither it was ended
   * nor its user's rights were changed by what was committed meanwhile.
   */
  actIn(session: ActingSession): void;
  /** At most one row. */
  read<T>(read: Read<T>): Promise<T | null>;
  /** Asks the inbox where no read did: before a refusal that only time has brought about, such as an expired token. */
  checkInbox(): Promise<void>;
  /** The audit row of an event that the commit itself may add (db/sessions.ts), sealed. */
  audited(event: AuditedEvent, userId: number): Buffer;
  /** Writes everything in one statement, stores `result` as the request's answer, and returns it. */
  commit<R extends object>(change: Change, result: R): Promise<R>;
  /** Commits what a refusal counted or sent, stores the refusal as the answer, and throws it. */
  commitRefusal(change: Change, refusal: Refusal): Promise<never>;
}

/** What only some commands may do. */
export interface Capabilities {
  passwords: HandlerPasswords;
  /** Guesses at a password or a code. The handler must also say whose `attempt` its request is (define.ts). */
  attempts: {
    /**
     * Reads, and in the same statement counts an attempt at a secret before it is verified. It stays counted unless
     * `refund` is among the writes of the commit.
     * @throws Refusal THROTTLED with retryAfterMs: nothing was counted, and nothing may be verified
     */
    reserve<T>(attempt: Attempt, read: Read<T>): Promise<AttemptReservation & { row: T | null }>;
  };
  /** Limits across accounts (uses.ts). */
  uses: {
    /**
     * Reads, and in the same statement counts a use. It stays counted unless `refund` is among the writes of the
     * commit.
     * @throws Refusal THROTTLED with retryAfterMs: nothing was counted, and nothing may be done
     */
    count<T>(using: ClientUse, read: Read<T>): Promise<{ row: T | null; refund: Write }>;
    /** In a statement of its own, where the first read tells whom the requester serves. @throws Refusal THROTTLED */
    countAlone(using: ClientUse): Promise<{ refund: Write }>;
  };
  mails: {
    /** What a mail to the address is counted by. */
    count(kind: CountedMail, email: string): MailCount;
  };
  /** The tokens of a session. */
  sessions: Pick<Tokens, "issueAccess"> & {
    /**
     * What successors of refresh tokens are derived with: the newest key, or the one that a session was opened with.
     */
    refreshKey(id?: number): { id: number; key: Buffer };
    /** For this record key: the request's own device token renewed, where it came with a known one, else a new one. */
    deviceToken(given: { recordKey: string; epoch: number }): string;
    /**
     * Belongs into the commit that opens a session where no attempt of this request did: after a challenge, or by a
     * passkey alone. What a reservation's `remember` does.
     */
    rememberDevice(user: { id: number; login: string }, client: Client | null): Write[];
  };
  mfa: {
    /** Encrypts the secrets of authenticator apps. */
    box(): SecretBox;
  };
  passkeys: {
    /** What user handles are made with; the oldest key, because they must stay the same. 32 bytes. */
    handleKey(): Buffer;
  };
  operators: {
    /** Seals rows of operators. */
    box(): SecretBox;
  };
  /** Logins that were given up stay taken for a while (db/given-up-logins.ts). */
  givenUpLogins: {
    /** What one is found by. */
    hash(loginKey: string): Buffer;
    /** Belongs into the commit that deletes a user: keeps the login taken, where it was ever confirmed. */
    keep(user: { login: string; confirmed: boolean }): Write[];
  };
  personalData: {
    /** Opens what is personal in the user's audit rows. @param subjectBox the user's key, as it is stored */
    reader(userId: number, subjectBox: Buffer): (row: PersonalPart) => Record<string, unknown>;
  };
  /** Refused attempts of administrators (admin/denials.ts). */
  denials: {
    /** Whether the audit gets a row of this one. */
    admit(actor: string): boolean;
    /** Commits what happened and stores no answer: the same request may be carried out later, and is noted again. */
    commitAuditOnly(change: Change, code: RefusalCode): Promise<void>;
  };
  /** The fleet's public keys. */
  keys: {
    jwks(): string;
  };
  metrics: {
    /** After the commit. */
    countConfirmed(proof: Proof): void;
  };
}

export type Capability = keyof Capabilities;

/** The core, and the capabilities that a handler names. */
export type Context<C extends Capability = never> = CoreContext & Pick<Capabilities, C>;
