// The shape of a database as text: tables with columns and constraints, indexes, sequences, functions, in the order of
// their names. Names of the outbox's daily and the audit's monthly partitions are left out: they depend on the day.
import type pg from "pg";

const turned = "^(outbox_\\d{8}|audit_\\d{6})";
const daily = `c.relname !~ '${turned}'`;

const questions: Record<string, string> = {
  columns: `
    SELECT format('%s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, COALESCE(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')) AS line
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND ${daily}
    ORDER BY c.relname, a.attnum`,
  constraints: `
    SELECT format('%s %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid)) AS line
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = 'public'::regnamespace AND k.contype <> 'n' AND ${daily} ORDER BY c.relname, k.conname`,
  indexes: `
    SELECT indexdef AS line FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ '${turned}' ORDER BY indexname`,
  partitions: `
    SELECT format('%s of %s %s', c.relname, p.relname, pg_get_expr(c.relpartbound, c.oid)) AS line
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
    WHERE c.relkind = 'r' AND ${daily} ORDER BY c.relname`,
  sequences: "SELECT sequencename AS line FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1",
  functions: `
    SELECT pg_get_functiondef(p.oid) AS line FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname`,
};

export async function describeDatabase(client: pg.Client): Promise<string> {
  const parts: string[] = [];
  for (const [title, question] of Object.entries(questions)) {
    const { rows } = await client.query<{ line: string }>(question);
    parts.push(`-- ${title}\n${rows.map((row) => row.line).join("\n")}\n`);
  }
  return `-- The database after all migrations. Written by UPDATE_SCHEMA=1 npm test -- migrate; checked by test/processes/migrate.test.ts.\n\n${parts.join("\n")}`;
}
