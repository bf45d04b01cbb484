// Rows of operators: a name, and encrypted under it the rest (crypto/operators.ts). They are read with each request of
// an operator, so removing an operator or a key takes effect at the next one.
import { sql } from "slonik";
import { z } from "zod";
import type { Read, Write } from "./statements.ts";

const row = z.object({ name: z.string(), version: z.number(), encrypted: z.instanceof(Buffer) });
export type OperatorRow = z.infer<typeof row>;

export function operatorRow(name: string): Read<OperatorRow> {
  return { select: sql.fragment`SELECT name, version, encrypted FROM operators WHERE name = ${name}`, row };
}

/** All operators by name; encrypted values as base64, because they come in one JSON array. */
export function operatorRows(): Read<{ operators: { name: string; encrypted: string }[] }> {
  const select = sql.fragment`
    SELECT COALESCE(jsonb_agg(jsonb_build_object('name', name, 'encrypted', encode(encrypted, 'base64')) ORDER BY name COLLATE "C"), '[]') AS operators
    FROM operators`;
  return { select, row: z.object({ operators: z.array(z.object({ name: z.string(), encrypted: z.string() })) }) };
}

/** The primary key decides races: the second commit is rolled back. */
export function insertOperator(name: string, encrypted: Buffer): Write {
  return {
    name: "insert_operator",
    changes: 1,
    statement: (gate) =>
      sql.fragment`INSERT INTO operators (name, encrypted) SELECT ${name}, ${sql.binary(encrypted)} WHERE ${gate} RETURNING 1`,
  };
}

/** Only where there is none; asked before the insert, because afterwards the new row would be found. */
export function insertFirstOperator(name: string, encrypted: Buffer): Write {
  return {
    name: "insert_first_operator",
    changes: 1,
    statement: (gate) => sql.fragment`
      INSERT INTO operators (name, encrypted)
      SELECT ${name}, ${sql.binary(encrypted)} WHERE CASE WHEN ${gate} THEN is_without_operators() ELSE false END RETURNING 1`,
  };
}

type Known = Pick<OperatorRow, "name" | "version">;

/** @param before as it was read */
export function changeOperator({ name, version }: Known, encrypted: Buffer): Write {
  return {
    name: "change_operator",
    changes: 1,
    statement: (gate) => sql.fragment`
      UPDATE operators SET encrypted = ${sql.binary(encrypted)}, version = version + 1
      WHERE name = ${name} AND version = ${version} AND ${gate} RETURNING 1`,
  };
}

export function deleteOperator({ name, version }: Known): Write {
  return {
    name: "delete_operator",
    changes: 1,
    statement: (gate) =>
      sql.fragment`DELETE FROM operators WHERE name = ${name} AND version = ${version} AND ${gate} RETURNING 1`,
  };
}
