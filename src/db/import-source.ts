// The users table of another service, read from its own database: its columns, and its rows in pages by id. Each page
// is a statement of its own, so any run can continue where the last one ended. Rejected: one cursor over the table,
// which is a transaction as long as the import, blocks the old database's vacuum and dies with its connection. The
// session is read-only.
import { type CommonQueryMethods, createPool, type DatabasePool, sql } from "slonik";
import { z } from "zod";
import { readDatabaseAddress, slonikUrl } from "../lib/database-address.ts";

/** Our columns, each with the expression that reads it as text. */
export type ColumnMap = ReadonlyMap<string, string>;

export interface TableName {
  schema: string;
  table: string;
}

/** @throws where the database does not answer */
export function openSource(url: string): Promise<DatabasePool> {
  const address = readDatabaseAddress(url);
  const { tls } = address;
  const only = { applicationName: "auth authctl import", options: "-c default_transaction_read_only=on" };
  return createPool(slonikUrl({ ...address, ...only }), {
    ...(tls && { ssl: tls }),
    captureStackTrace: false,
    connectionRetryLimit: 0,
    queryRetryLimit: 0,
    connectionTimeout: 5000,
    statementTimeout: 120_000, // of a page, and of count(*) over all
    idleTimeout: "DISABLE_TIMEOUT",
    maximumPoolSize: 1,
    minimumPoolSize: 0,
    resetConnection: () => Promise.resolve(),
    typeParsers: [],
  });
}

const column = z.object({ name: z.string(), type: z.string() });

/** Empty where the table does not exist. */
export async function columnsOf(db: CommonQueryMethods, { schema, table }: TableName) {
  return db.any(sql.type(column)`
    SELECT column_name::text AS name, data_type::text AS type FROM information_schema.columns
    WHERE table_schema = ${schema} AND table_name = ${table} ORDER BY ordinal_position`);
}

/** Whether a unique index on this column alone exists: paging needs its order and distinct values. */
export async function isKey(db: CommonQueryMethods, { schema, table }: TableName, name: string): Promise<boolean> {
  const { found } = await db.one(sql.type(z.object({ found: z.boolean() }))`
    SELECT EXISTS (
      SELECT FROM pg_index i
      JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
      WHERE n.nspname = ${schema} AND c.relname = ${table} AND a.attname = ${name}
        AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL) AS found`);
  return found;
}

/** How many rows come after this id, and the largest id. */
export async function extentOf(
  db: CommonQueryMethods,
  { schema, table }: TableName,
  { id, after }: { id: string; after: number },
): Promise<{ rows: number; largest: number }> {
  const row = await db.one(sql.type(z.object({ rows: z.string(), largest: z.string() }))`
    SELECT count(*)::text AS rows, COALESCE(max(${sql.identifier([id])}), 0)::text AS largest
    FROM ${sql.identifier([schema, table])} WHERE ${sql.identifier([id])} > ${after}::int8`);
  return { rows: Number(row.rows), largest: Number(row.largest) };
}

/** Columns as text under our names; times as Unix ms (one without a zone is taken as UTC). */
export async function pageOf(
  db: CommonQueryMethods,
  { schema, table }: TableName,
  { columns, after, limit }: { columns: ColumnMap; after: number; limit: number },
): Promise<readonly Record<string, unknown>[]> {
  const id = sql.identifier(["source", columns.get("id") ?? ""]); // the bare name would be the text that is selected under it
  const read = [...columns].map(([ours, theirs]) => {
    const value = sql.identifier(["source", theirs]);
    const text =
      ours === "createdAt"
        ? sql.fragment`(extract(epoch FROM ${value}) * 1000)::int8::text`
        : sql.fragment`${value}::text`;
    return sql.fragment`${text} AS ${sql.identifier([ours])}`;
  });
  return db.any(sql.type(z.record(z.string(), z.unknown()))`
    SELECT ${sql.join(read, sql.fragment`, `)} FROM ${sql.identifier([schema, table])} AS source
    WHERE ${id} > ${after}::int8 ORDER BY ${id} LIMIT ${limit}::int`);
}
