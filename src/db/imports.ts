// The statements of authctl import. A batch is one statement: users, password hashes, roles, events, rejected rows and
// the import's position, so that a killed run has written all of a batch or nothing. Unique keys decide races with
// users who register meanwhile: the batch is rolled back and checked again (isLostRace).
import { type CommonQueryMethods, sql } from "slonik";
import { z } from "zod";
import { changedPart, takenConstraint } from "./faults.ts";
import { shards } from "./outbox.ts";
import type { Fragment } from "./statements.ts";
import type { NewUser } from "./users.ts";

/** A user to create. */
export interface ImportedUser extends NewUser {
  position: number;
  hash: string;
  confirmed: boolean;
  banned: boolean;
  roles: string[];
  /** Unix ms; null: now. */
  createdAt: number | null;
}

const counts = z.object({
  imported: z.number(),
  /** Already imported by an earlier run. */
  present: z.number(),
  /** Imported by an earlier run and deleted since. */
  gone: z.number(),
  rejected: z.record(z.string(), z.number()),
  algorithms: z.record(z.string(), z.number()),
  /** Rows rejected for their hash, by the hash's algorithm. */
  unverified: z.record(z.string(), z.number()).default({}),
});
export type Counts = z.infer<typeof counts>;

export const noCounts = (): Counts => ({
  imported: 0,
  present: 0,
  gone: 0,
  rejected: {},
  algorithms: {},
  unverified: {},
});

const state = z.object({
  fingerprint: z.string(),
  position: z.number(),
  nextByte: z.number(),
  counts,
  rejectsBytes: z.number(),
  ended: z.boolean(),
});
export type ImportState = z.infer<typeof state>;

/** @throws Error that says so where the database does not answer or is not migrated */
export async function isMigrated(db: CommonQueryMethods): Promise<void> {
  const { found } = await db.one(sql.type(z.object({ found: z.boolean() }))`
    SELECT to_regclass('imports') IS NOT NULL AS found`);
  if (!found) throw new Error("it is not migrated for this version: run authfleet migrate");
}

export async function importState(db: CommonQueryMethods, source: string): Promise<ImportState | null> {
  return db.maybeOne(sql.type(state)`
    SELECT fingerprint, position, next_byte AS "nextByte", counts, rejects_bytes AS "rejectsBytes", ended_at IS NOT NULL AS ended
    FROM imports WHERE source = ${source}`);
}

/** Begins the import of a source, or starts over: results for another file of the same name are deleted. */
export async function beginImport(
  db: CommonQueryMethods,
  { source, fingerprint, actor, position }: { source: string; fingerprint: string; actor: string; position: number },
): Promise<void> {
  await db.query(sql.unsafe`DELETE FROM imports WHERE source = ${source}`);
  await db.query(sql.unsafe`
    INSERT INTO imports (source, fingerprint, actor, position, counts)
    VALUES (${source}, ${fingerprint}, ${actor}, ${position}, ${sql.jsonb(noCounts())})`);
}

export async function endImport(db: CommonQueryMethods, source: string, total: Counts): Promise<void> {
  await db.query(
    sql.unsafe`UPDATE imports SET ended_at = now(), counts = ${sql.jsonb(total)} WHERE source = ${source}`,
  );
}

/** Locks the import of a source until the connection closes. @returns false where another run has the lock */
export async function holdImport(db: CommonQueryMethods, source: string): Promise<boolean> {
  const row = await db.one(sql.type(z.object({ held: z.boolean() }))`
    SELECT pg_try_advisory_lock(hashtext('auth import'), hashtext(${source})) AS held`);
  return row.held;
}

export async function roleNames(db: CommonQueryMethods): Promise<readonly string[]> {
  const rows = await db.any(sql.type(z.object({ name: z.string() }))`SELECT name FROM roles ORDER BY name`);
  return rows.map(({ name }) => name);
}

/** Keys by which a row may match an existing user. */
export interface Keys {
  ids: number[];
  logins: string[];
  emails: string[];
}

const holder = z.object({
  id: z.number(),
  loginKey: z.string(),
  emailKey: z.string(),
  /** Whether the account has confirmed the address. */
  confirmed: z.boolean(),
  decoy: z.boolean(),
});
export type Holder = z.infer<typeof holder>;

/** @param rehearsed whether to include users that this dry run would have created */
export async function holdersOf(
  db: CommonQueryMethods,
  { ids, logins, emails }: Keys,
  rehearsed: boolean,
): Promise<readonly Holder[]> {
  const of = (table: string, confirmed: Fragment, decoy: Fragment) => sql.fragment`
    SELECT id, login_key AS "loginKey", email_key AS "emailKey", ${confirmed} AS confirmed, ${decoy} AS decoy FROM ${sql.identifier([table])}
    WHERE id = ANY(${sql.array(ids, "int8")}) OR login_key = ANY(${sql.array(logins, "text")}) OR email_key COLLATE "C" = ANY(${sql.array(emails, "text")})`; // as users_by_email is sorted
  const users = of("users", sql.fragment`confirmed_at IS NOT NULL`, sql.fragment`decoy`);
  const both = rehearsed
    ? sql.fragment`${users} UNION ALL ${of(rehearsal, sql.fragment`confirmed`, sql.fragment`false`)}`
    : users;
  return db.any(sql.type(holder)`${both}`);
}

/** Which of these logins are quarantined (quarantined-logins.ts), as indexes of the list. */
export async function quarantined(db: CommonQueryMethods, hashes: readonly Buffer[]): Promise<ReadonlySet<number>> {
  const rows = await db.any(sql.type(z.object({ place: z.number() }))`
    SELECT place::int - 1 AS place FROM unnest(${sql.array([...hashes], "bytea")}) WITH ORDINALITY AS asked (login, place)
    WHERE NOT is_login_free(login, NULL)`);
  return new Set(rows.map(({ place }) => place));
}

const rehearsal = "import_rehearsal";

/** A temporary table for the users that a dry run would create, to find duplicates within the source. */
export async function rehearse(db: CommonQueryMethods): Promise<void> {
  await db.query(sql.unsafe`
    CREATE TEMP TABLE ${sql.identifier([rehearsal])} (id bigint PRIMARY KEY, login_key text UNIQUE, email_key text, confirmed boolean)`);
  await db.query(sql.unsafe`CREATE INDEX ON ${sql.identifier([rehearsal])} (email_key COLLATE "C")`); // several may wait with one address
}

export async function writeRehearsal(db: CommonQueryMethods, users: readonly ImportedUser[]): Promise<void> {
  await db.query(sql.unsafe`
    INSERT INTO ${sql.identifier([rehearsal])}
    SELECT * FROM unnest(${sql.array(
      users.map(({ id }) => id),
      "int8",
    )}, ${texts(users.map(({ loginKey }) => loginKey))},
      ${texts(users.map(({ emailKey }) => emailKey))}, ${sql.array(
        users.map(({ confirmed }) => confirmed),
        "bool",
      )})`);
}

/** Which of these rows an earlier run rejected. */
export async function rejectedBefore(
  db: CommonQueryMethods,
  source: string,
  positions: readonly number[],
): Promise<ReadonlySet<number>> {
  const rows = await db.any(sql.type(z.object({ position: z.number() }))`
    SELECT position FROM import_rejects WHERE source = ${source} AND position = ANY(${sql.array(positions, "int8")})`);
  return new Set(rows.map(({ position }) => position));
}

/** Ids for users whose source has none. */
export async function newIds(db: CommonQueryMethods, count: number): Promise<number[]> {
  if (count === 0) return [];
  const rows = await db.any(sql.type(z.object({ id: z.number() }))`
    SELECT nextval('user_ids') AS id FROM generate_series(1, ${count}::int)`);
  return rows.map(({ id }) => id);
}

/** Raises the id sequence to at least this id. */
export async function passIds(db: CommonQueryMethods, largest: number): Promise<void> {
  await db.any(
    sql.unsafe`SELECT setval('user_ids', ${largest}::int8) FROM user_ids WHERE ${largest}::int8 >= last_value`,
  );
}

export interface Batch {
  source: string;
  users: readonly ImportedUser[];
  rejects: readonly { position: number; reason: string }[];
  /** Encrypted audit rows, one per user. */
  audit: readonly Buffer[];
  /** The import's state after this batch. */
  state: Pick<ImportState, "position" | "nextByte" | "counts" | "rejectsBytes">;
  /** Publishes UserRegistered for each. */
  events: { topic: string; actor: string; at: number; ids: readonly string[] } | undefined;
}

export async function writeBatch(db: CommonQueryMethods, batch: Batch): Promise<void> {
  const { users, source } = batch;
  const given = users.flatMap(({ id, roles }) => roles.map((name) => ({ id, name })));
  const largest = users.reduce((most, { id }) => Math.max(most, id), 0);
  await db.one(sql.type(z.object({ done: z.boolean() }))`
    WITH input AS (${inputOf(users)}),
    made AS (
      INSERT INTO users (id, login, login_key, username, email, email_key, created_at, confirmed_at, banned_at, sequence)
      SELECT id, login, login_key, username, email, email_key, COALESCE(created_at, now()), CASE WHEN confirmed THEN COALESCE(created_at, now()) END,
        CASE WHEN banned THEN now() END, ${batch.events === undefined ? 0 : 1}::int
      FROM input RETURNING 1),
    hashes AS (INSERT INTO credentials (user_id, kind, hash) SELECT id, 'password', hash FROM input),
    roled AS (
      INSERT INTO user_roles (user_id, role_id)
      SELECT g.id, r.id FROM unnest(${sql.array(
        given.map(({ id }) => id),
        "int8",
      )}, ${texts(given.map(({ name }) => name))}) AS g (id, name)
      JOIN roles r ON r.name = g.name RETURNING 1),
    ${batch.events === undefined ? sql.fragment`` : eventsOf(batch.events)}
    audited AS (INSERT INTO audit_intake (encrypted) SELECT encrypted FROM unnest(${sql.array([...batch.audit], "bytea")}) AS encrypted),
    mended AS (
      DELETE FROM import_rejects WHERE source = ${source} AND position = ANY(${sql.array(
        users.map(({ position }) => position),
        "int8",
      )})),
    noted AS (
      INSERT INTO import_rejects (source, position, reason)
      SELECT ${source}, position, reason
      FROM unnest(${sql.array(
        batch.rejects.map(({ position }) => position),
        "int8",
      )}, ${texts(batch.rejects.map(({ reason }) => reason))})
        AS rejected (position, reason)
      ON CONFLICT (source, position) DO UPDATE SET reason = excluded.reason),
    stood AS (
      UPDATE imports SET updated_at = now(), ended_at = NULL, position = GREATEST(position, ${batch.state.position}),
        next_byte = GREATEST(next_byte, ${batch.state.nextByte}), counts = ${sql.jsonb(batch.state.counts)}, rejects_bytes = ${batch.state.rejectsBytes}
      WHERE source = ${source} RETURNING 1)
    SELECT must_be((SELECT count(*) FROM made), ${users.length}, 'users') AND must_be((SELECT count(*) FROM roled), ${given.length}, 'roles')
      AND must_be((SELECT count(*) FROM stood), 1, 'import')
      AND COALESCE((SELECT setval('user_ids', ${largest}::int8) FROM user_ids WHERE ${largest}::int8 > 0 AND ${largest}::int8 >= last_value), 1) > 0 AS done`);
}

function inputOf(users: readonly ImportedUser[]) {
  const created = users.map(({ createdAt }) => (createdAt === null ? null : createdAt / 1000));
  return sql.fragment`
    SELECT id, login, login_key, username, email, email_key, hash, to_timestamp(created) AS created_at, confirmed, banned
    FROM unnest(${sql.array(
      users.map(({ id }) => id),
      "int8",
    )}, ${texts(users.map(({ login }) => login))},
      ${texts(users.map(({ loginKey }) => loginKey))}, ${texts(users.map(({ username }) => username))},
      ${texts(users.map(({ email }) => email))}, ${texts(users.map(({ emailKey }) => emailKey))}, ${texts(users.map(({ hash }) => hash))},
      ${sql.array(created, "float8")}, ${sql.array(
        users.map(({ confirmed }) => confirmed),
        "bool",
      )},
      ${sql.array(
        users.map(({ banned }) => banned),
        "bool",
      )})
      AS given (id, login, login_key, username, email, email_key, hash, created, confirmed, banned)`;
}

/** As command/outbox-rows.ts makes them; each is the first event of its user. */
function eventsOf({ topic, actor, at, ids }: NonNullable<Batch["events"]>) {
  return sql.fragment`
    told AS (
      INSERT INTO outbox (shard, topic, key, kind, event_id, user_id, sequence, actor, body)
      SELECT id % ${shards}, ${topic}, id::text, 'UserRegistered', event_id::uuid, id, 1, ${actor}, jsonb_build_object('login', login, 'at', ${at}::int8)
      FROM (SELECT id, login, row_number() OVER () AS place FROM input) AS user_ JOIN unnest(${texts(ids)}) WITH ORDINALITY AS e (event_id, place) USING (place)),`;
}

const texts = (values: readonly string[]) => sql.array([...values], "text");

/** A user registered meanwhile, or two writers deadlocked: checked again, the batch may succeed. */
export function isLostRace(error: unknown): boolean {
  if (changedPart(error) !== undefined || takenConstraint(error) !== undefined) return true;
  return /deadlock detected/.test(String((error as { cause?: unknown }).cause ?? error));
}
