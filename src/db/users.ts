// Users: the reads of handlers, and the statements that change users. Each UserLock locks the user's row, checks that
// it is as the handler read it, and numbers the user's events.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";
import type { Target } from "../protocol/target.ts";
import { addressState, banState, confirmedState, passwordState, withState } from "./account-state.ts";
import { type MailCount, mailWait } from "./address-mails.ts";
import { contactColumns, contactShape } from "./contacts.ts";
import { factorColumns, factorShape } from "./factors.ts";
import type { Purpose } from "./one-time-tokens.ts";
import { isLoginFree } from "./quarantined-logins.ts";
import type { Fragment, Read, UserLock, Write } from "./statements.ts";

const roles = sql.fragment`ARRAY(
  SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id ORDER BY r.name) AS roles`;

const account = z.object({
  id: z.number(),
  login: z.string(),
  confirmed: z.boolean(),
  banned: z.boolean(),
  generation: z.number(),
  roles: z.array(z.string()),
  /** A decoy keeps a login taken and is no user (handlers/account/register.ts). */
  decoy: z.boolean(),
});

const columns = sql.fragment`
  u.id, u.login, u.confirmed_at IS NOT NULL AS confirmed, is_banned(u.banned_at, u.banned_until) AS banned, u.generation, ${roles},
  u.decoy`;

const accountWithPassword = account.extend({ hash: z.string().nullable(), ...factorShape });
export type AccountWithPassword = z.infer<typeof accountWithPassword>;

/** The account with a normalised login, its password hash and its second factors. */
export function accountForLogin(loginKey: string): Read<AccountWithPassword> {
  const select = sql.fragment`
    SELECT ${columns}, ${factorColumns}, c.hash FROM users u LEFT JOIN credentials c ON c.user_id = u.id AND c.kind = 'password'
    WHERE u.login_key = ${loginKey}`;
  return { select, row: accountWithPassword };
}

const accountName = z.object({ id: z.number(), loginKey: z.string() });
export type AccountName = z.infer<typeof accountName>;

/** The account with this login, or else the confirmed account with this address. One statement searches both. */
export function loginOf(loginKey: string, emailKey: string): Read<AccountName> {
  const select = sql.fragment`
    SELECT u.id, u.login_key AS "loginKey" FROM users u WHERE u.id = COALESCE(
      (SELECT l.id FROM users l WHERE l.login_key = ${loginKey}),
      (SELECT e.id FROM users e WHERE e.email_key = ${emailKey} AND e.confirmed_at IS NOT NULL))`;
  return { select, row: accountName };
}

const profile = account.extend({
  ...contactShape,
  createdAt: z.number(),
  /** Null: the ban has no end, or there is none. */
  bannedUntil: z.number().nullable(),
  banReason: z.string(),
});
export type Profile = z.infer<typeof profile>;

const profileColumns = sql.fragment`
  ${columns}, ${contactColumns}, u.created_at AS "createdAt",
  CASE WHEN is_banned(u.banned_at, u.banned_until) THEN u.banned_until END AS "bannedUntil",
  COALESCE(CASE WHEN is_banned(u.banned_at, u.banned_until) THEN u.ban_reason END, '') AS "banReason"`;

export function profileById(id: number): Read<Profile> {
  return { select: sql.fragment`SELECT ${profileColumns} FROM users u WHERE u.id = ${id}`, row: profile };
}

export function profileByLogin(loginKey: string): Read<Profile> {
  return { select: sql.fragment`SELECT ${profileColumns} FROM users u WHERE u.login_key = ${loginKey}`, row: profile };
}

export function profileOf(target: Target): Read<Profile> {
  return "id" in target ? profileById(target.id) : profileByLogin(target.loginKey);
}

/** How many links of the purpose the user got within the last hour. */
const mailsOf = (purpose: Purpose): Fragment => sql.fragment`(
  SELECT count(*) FROM one_time_tokens t
  WHERE t.user_id = u.id AND t.purpose = ${purpose} AND t.created_at > now() - interval '1 hour') AS mails`;

/** Whether a confirmed account has the address. @param emailKey a column or a value */
export const isTaken = (emailKey: Fragment): Fragment => sql.fragment`
  EXISTS (SELECT FROM users owner WHERE owner.email_key = ${emailKey} AND owner.confirmed_at IS NOT NULL)`;

const mailable = z.object({ id: z.number(), banned: z.boolean(), generation: z.number(), ...contactShape });
const owner = z.object({ mailWaitMs: z.number(), owner: mailable.nullable() });

/** The confirmed account with a normalised e-mail address, if any, and how long the next mail to it must wait. */
export function ownerOf(emailKey: string, count: MailCount): Read<z.infer<typeof owner>> {
  const select = sql.fragment`
    SELECT ${mailWait(count)} AS "mailWaitMs", (SELECT to_jsonb(o) FROM (
      SELECT u.id, is_banned(u.banned_at, u.banned_until) AS banned, u.generation, ${contactColumns} FROM users u
      WHERE u.email_key = ${emailKey} AND u.confirmed_at IS NOT NULL) AS o) AS owner`;
  return { select, row: owner };
}

const unconfirmed = z.object({ id: z.number(), generation: z.number() });
export type Unconfirmed = z.infer<typeof unconfirmed>;

/** Unconfirmed accounts older than this, oldest first, without decoys. */
export async function overdue(
  pool: DatabasePool,
  { ttlMs, limit }: { ttlMs: number; limit: number },
): Promise<readonly Unconfirmed[]> {
  return pool.any(sql.type(unconfirmed)`
    SELECT id, generation FROM users
    WHERE confirmed_at IS NULL AND NOT decoy AND created_at < now() - ${ttlMs} * interval '1 millisecond'
    ORDER BY created_at LIMIT ${limit}`);
}

/** Unconfirmed accounts whose e-mail address another account has confirmed: they can never be confirmed. */
export async function withTakenAddress(pool: DatabasePool, limit: number): Promise<readonly Unconfirmed[]> {
  return pool.any(sql.type(unconfirmed)`
    SELECT u.id, u.generation FROM users u
    WHERE u.confirmed_at IS NULL AND NOT u.decoy AND ${isTaken(sql.fragment`u.email_key`)} LIMIT ${limit}`);
}

/** The confirmed account with an address: the address as its owner wrote it, and their language. */
const addressOwner = z.object({ email: z.string(), locale: z.string().nullable() }).nullable();
const addressOwnerColumns = sql.fragment`jsonb_build_object('email', o.email, 'locale', o.locale)`;

const vacancy = z.object({
  id: z.number(),
  loginTaken: z.boolean(),
  emailOwner: addressOwner,
  mailWaitMs: z.number(),
});

/** The names of a new user. */
export interface NewUserNames {
  loginKey: string;
  /** The hash under which the login may be quarantined. */
  loginHash: Buffer;
  emailKey: string;
  /** The counter of mails to the address; default: none is sent. */
  count?: MailCount;
}

/**
 * An id for a new user, whether the login is taken, and who has the address; ids of refused registrations stay unused.
 */
export function vacancyFor({ loginKey, loginHash, emailKey, count }: NewUserNames): Read<z.infer<typeof vacancy>> {
  const select = sql.fragment`
    SELECT nextval('user_ids') AS id,
      EXISTS (SELECT FROM users WHERE login_key = ${loginKey}) OR NOT ${isLoginFree(loginHash)} AS "loginTaken",
      (SELECT ${addressOwnerColumns} FROM users o WHERE o.email_key = ${emailKey} AND o.confirmed_at IS NOT NULL) AS "emailOwner",
      ${count === undefined ? sql.fragment`0` : mailWait(count)} AS "mailWaitMs"`;
  return { select, row: vacancy };
}

export interface NewUser {
  id: number;
  login: string;
  loginKey: string;
  username: string;
  email: string;
  emailKey: string;
  /** Canonical BCP 47 (accounts/input.ts); default: the fleet's language. */
  locale?: string | null;
  /** Needs no confirmation. */
  confirmed?: boolean;
  /** Keeps the login taken without being a user. */
  decoy?: boolean;
  /** SHA-256 of the secret that confirms the account together with its link. */
  registrationHash?: Buffer;
  /** Ms until the mail with its link may be sent; default 0: now. */
  mailWaitMs?: number;
}

/** Deletes up to `limit` expired decoys. @returns how many */
export async function reapDecoys(
  pool: DatabasePool,
  { ttlMs, limit }: { ttlMs: number; limit: number },
): Promise<number> {
  const { rowCount } = await pool.query(sql.unsafe`
    DELETE FROM users WHERE id IN (
      SELECT id FROM users WHERE decoy AND created_at < now() - ${ttlMs} * interval '1 millisecond' LIMIT ${limit})`);
  return rowCount;
}

/**
 * The unique indexes users_login_unique and, for confirmed accounts, users_email_unique decide races: the second commit
 * is rolled back.
 */
export function insertUser(user: NewUser): UserLock {
  const { id, login, loginKey, username, email, emailKey, locale = null, confirmed = false, decoy = false } = user;
  const secretHash = user.registrationHash === undefined ? sql.fragment`NULL` : sql.binary(user.registrationHash);
  const insert: UserLock = (numbers, gate) => sql.fragment`
    INSERT INTO users (id, login, login_key, username, email, email_key, locale, confirmed_at, decoy, registration_hash, mail_due_at,
      sequence)
    SELECT ${id}, ${login}, ${loginKey}, ${username}, ${email}, ${emailKey}, ${locale}::text, CASE WHEN ${confirmed} THEN now() END, ${decoy},
      ${secretHash}::bytea, now() + ${user.mailWaitMs || null}::bigint * interval '1 millisecond', ${numbers}
    WHERE ${gate} RETURNING id, sequence`;
  return withState(insert, confirmedState(confirmed), addressState(emailKey));
}

export interface Expected {
  /** The user must still have this generation. */
  generation?: number;
  /** Whether the user must be banned or not, confirmed or not. */
  banned?: boolean;
  confirmed?: boolean;
  /** The normalised e-mail address must still be this one. */
  emailKey?: string;
}

function lock(id: number, expected: Expected, changes: Fragment): UserLock {
  const { generation = null, banned = null, confirmed = null, emailKey = null } = expected;
  return (numbers, gate) => sql.fragment`
    UPDATE users u SET sequence = sequence + ${numbers} ${changes}
    WHERE u.id = ${id} AND ${gate}
      AND (${generation}::int IS NULL OR generation = ${generation})
      AND (${banned}::bool IS NULL OR is_banned(banned_at, banned_until) = ${banned})
      AND (${confirmed}::bool IS NULL OR (confirmed_at IS NOT NULL) = ${confirmed})
      AND (${emailKey}::text IS NULL OR email_key = ${emailKey})
    RETURNING u.id, sequence`;
}

/** Changes nothing but the event numbers. */
export function lockUser(id: number, expected: Expected): UserLock {
  return lock(id, expected, sql.fragment``);
}

/**
 * The unique index users_email_unique decides which of several accounts gets an address: the others are rolled back.
 */
export function confirmUser(id: number, generation: number): UserLock {
  const expected = { confirmed: false, banned: false, generation };
  const confirm = lock(
    id,
    expected,
    sql.fragment`, confirmed_at = now(), registration_hash = NULL, mail_due_at = NULL`,
  );
  return withState(confirm, confirmedState(true));
}

/** Outdates all access tokens issued so far. */
export function raiseGeneration(id: number, expected: Expected): UserLock {
  return lock(id, expected, sql.fragment`, generation = generation + 1`);
}

/** Outdates access tokens and device tokens issued so far. */
export function raiseGenerationAndEpoch(id: number, expected: Expected): UserLock {
  return lock(id, expected, sql.fragment`, generation = generation + 1, device_epoch = device_epoch + 1`);
}

export interface Ban {
  /** When it ends by itself, Unix ms; null: when an administrator lifts it. */
  until: number | null;
  reason: string;
}

export function banUser(id: number, { until, reason }: Ban, expected: Expected): UserLock {
  const end = until === null ? sql.fragment`NULL` : sql.fragment`to_timestamp(${until / 1000}::double precision)`;
  const change = sql.fragment`, generation = generation + 1, banned_at = now(), banned_until = ${end}, ban_reason = ${reason}`;
  return withState(lock(id, expected, change), banState({ until }));
}

export function unbanUser(id: number): UserLock {
  const lift = lock(id, { banned: true }, sql.fragment`, banned_at = NULL, banned_until = NULL, ban_reason = NULL`);
  return withState(lift, banState(null));
}

/** @param expected confirmed: false deletes only accounts that were never confirmed */
export function deleteUser(id: number, expected: Omit<Expected, "banned">): UserLock {
  const { generation = null, confirmed = null } = expected;
  return (numbers, gate) => sql.fragment`
    DELETE FROM users WHERE id = ${id} AND ${gate}
      AND (${generation}::int IS NULL OR generation = ${generation})
      AND (${confirmed}::bool IS NULL OR (confirmed_at IS NOT NULL) = ${confirmed})
    RETURNING id, sequence + ${numbers} AS sequence`;
}

const passwordAndOwner = z.object({ hash: z.string(), login: z.string(), ...contactShape });

/**
 * The user's password hash, if any, and what a new password must not be made of: login, name and address, which is also
 * the contact for mails.
 */
export function passwordOf(userId: number): Read<z.infer<typeof passwordAndOwner>> {
  const select = sql.fragment`
    SELECT c.hash, u.login, ${contactColumns} FROM credentials c JOIN users u ON u.id = c.user_id
    WHERE c.user_id = ${userId} AND c.kind = 'password'`;
  return { select, row: passwordAndOwner };
}

const addressChange = passwordAndOwner.omit({ hash: true }).extend({
  mailWaitMs: z.number(),
  mails: z.number(),
  freeInMs: z.number(),
  newOwner: addressOwner,
});

/**
 * What a change of the e-mail address must know: the present one, how many links were mailed within the last hour and
 * when the next one may be, who has the new address, and how long the next mail to that one must wait.
 */
export function addressChangeOf(
  userId: number,
  newEmailKey: string,
  count: MailCount,
): Read<z.infer<typeof addressChange>> {
  const select = sql.fragment`
    SELECT u.login, ${contactColumns}, ${mailWait(count)} AS "mailWaitMs", ${mailsOf("email")}, (
        SELECT ceil(extract(epoch FROM COALESCE(min(t.created_at), now()) + interval '1 hour' - now()) * 1000)::int FROM one_time_tokens t
        WHERE t.user_id = u.id AND t.purpose = 'email' AND t.created_at > now() - interval '1 hour') AS "freeInMs",
      (SELECT ${addressOwnerColumns} FROM users o
        WHERE o.email_key = ${newEmailKey} AND o.confirmed_at IS NOT NULL AND o.id <> u.id) AS "newOwner"
    FROM users u WHERE u.id = ${userId}`;
  return { select, row: addressChange };
}

/** The unique index users_email_unique decides races: the second commit is rolled back. */
export function changeEmail(
  id: number,
  generation: number,
  { email, emailKey }: Pick<NewUser, "email" | "emailKey">,
): UserLock {
  const change = lock(id, { banned: false, generation }, sql.fragment`, email = ${email}, email_key = ${emailKey}`);
  return withState(change, addressState(emailKey));
}

/** @param locale null: the fleet's language */
export function changeLocale(id: number, locale: string | null): UserLock {
  return lock(id, { banned: false }, sql.fragment`, locale = ${locale}::text`);
}

/** Sets a password, whether or not the user had one. */
export function setPassword(userId: number, hash: string): Write {
  return {
    name: "set_password",
    changes: 1,
    state: [passwordState(hash)],
    statement: (gate) => sql.fragment`
      INSERT INTO credentials (user_id, kind, hash) SELECT ${userId}, 'password', ${hash} WHERE ${gate}
      ON CONFLICT (user_id, kind) DO UPDATE SET hash = excluded.hash, changed_at = now() RETURNING 1`,
  };
}

/** Replaces the password that was read. */
export function replacePassword(userId: number, before: string, after: string): Write {
  return {
    name: "replace_password",
    changes: 1,
    state: [passwordState(after)],
    statement: (gate) => sql.fragment`
      UPDATE credentials SET hash = ${after}, changed_at = now()
      WHERE user_id = ${userId} AND kind = 'password' AND hash = ${before} AND ${gate} RETURNING 1`,
  };
}

export function insertPassword(userId: number, hash: string): Write {
  return {
    name: "insert_password",
    changes: 1,
    state: [passwordState(hash)],
    // Reads locked_user itself: a foreign key to a user inserted by the same statement is checked at its end, but this
    // row must come after the user's.
    statement: (gate) => sql.fragment`
      INSERT INTO credentials (user_id, kind, hash) SELECT ${userId}, 'password', ${hash} WHERE ${gate} RETURNING 1`,
  };
}

/**
 * Replaces a hash made with other parameters. If the password was changed meanwhile, the commit is rolled back and the
 * login runs again.
 */
export function replaceHash(userId: number, before: string, after: string): Write {
  return {
    name: "replace_hash",
    changes: 1,
    state: [passwordState(after)],
    statement: (gate) => sql.fragment`
      UPDATE credentials SET hash = ${after} WHERE user_id = ${userId} AND kind = 'password' AND hash = ${before} AND ${gate} RETURNING 1`,
  };
}
