// The table `schemas`: what migrate registered. With it a worker starts, and reads what older requesters write, without
// the registry.
import { type DatabasePool, sql } from "slonik";
import { z } from "zod";

export async function saveSchema(
  pool: DatabasePool,
  row: { id: number; subject: string; schema: object },
): Promise<void> {
  await pool.query(sql.unsafe`
    INSERT INTO schemas (id, subject, text) VALUES (${row.id}, ${row.subject}, ${JSON.stringify(row.schema)})
    ON CONFLICT (subject, id) DO UPDATE SET text = excluded.text`);
}

/** A schema source over the table (bus/avro/schema-store.ts). */
export function savedSchemas(pool: DatabasePool) {
  const parse = (text: string): object => JSON.parse(text) as object;
  return {
    async idOf(subject: string, schema: object): Promise<number | undefined> {
      const row = await pool.maybeOne(sql.type(z.object({ id: z.number() }))`
        SELECT id FROM schemas WHERE subject = ${subject} AND text = ${JSON.stringify(schema)} ORDER BY id DESC LIMIT 1`);
      return row?.id;
    },
    async versionOf(subject: string, id: number): Promise<object | undefined> {
      const row = await pool.maybeOne(
        sql.type(z.object({ text: z.string() }))`SELECT text FROM schemas WHERE subject = ${subject} AND id = ${id}`,
      );
      return row === null ? undefined : parse(row.text);
    },
  };
}
