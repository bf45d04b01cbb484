// Tampering with the audit, by somebody who has the whole database and no key of the fleet: each with what
// `authctl audit verify` finds, and at which row.
import type pg from "pg";
import { type ChainRow, encryptEnd, link } from "../../src/crypto/audit.ts";
import type { DataKeys } from "../../src/crypto/envelope.ts";

const at = 7;
const move = (from: number, to: number) => `UPDATE audit SET number = ${to} WHERE number = ${from}`;
const copy = (number: string, chain = "chain") =>
  `INSERT INTO audit SELECT ${number}, chained_at + interval '1 second', event_id, at, 'PutIn', actor, user_id, outcome, traceparent, details, personal, ${chain} FROM audit`;

const changed = [
  "actor = 'x'",
  "at = at + interval '1 microsecond'",
  "details = '{\"a\":1}'",
  "personal = 'x'",
  "user_id = 99",
  "outcome = 'no'",
];

type Statement = [what: string, statement: string, found: string, number: number];

export const statements: Statement[] = [
  ...changed.map(
    (what): Statement => [`a changed row (${what})`, `UPDATE audit SET ${what} WHERE number = ${at}`, "row", at],
  ),
  ["a row with another chain value", `UPDATE audit SET chain = 'x' WHERE number = ${at}`, "row", at],
  [
    "a row moved to another time",
    `UPDATE audit SET chained_at = chained_at + interval '1 second' WHERE number = ${at}`,
    "row",
    at,
  ],
  ["a deleted row", `DELETE FROM audit WHERE number = ${at}`, "missing", at],
  ["several deleted rows", `DELETE FROM audit WHERE number BETWEEN ${at} AND ${at + 2}`, "missing", at],
  [
    "a deleted row whose number another has taken",
    `DELETE FROM audit WHERE number = ${at}; UPDATE audit SET number = 1 - number WHERE number > ${at}; UPDATE audit SET number = -number WHERE number < 0`,
    "row",
    at,
  ],
  ["a row put in under a number that is taken", `${copy("number")} WHERE number = ${at}`, "inserted", at],
  [
    "a row put in between",
    `UPDATE audit SET number = -number - 1 WHERE number >= ${at}; UPDATE audit SET number = -number WHERE number < 0; ${copy(String(at))} WHERE number = 1`,
    "row",
    at,
  ],
  ["two rows in each other's place", `${move(at, -1)}; ${move(at + 1, at)}; ${move(-1, at + 1)}`, "row", at],
  ["the first row missing", "DELETE FROM audit WHERE number = 1", "start", 2],
];

/** What more than a statement does, or what needs the number of the last row. */
export const actions: [
  what: string,
  act: (sql: pg.Pool, last: number) => Promise<unknown>,
  found: string,
  number: (last: number) => number | null,
][] = [
  [
    "rows missing at the end",
    (sql, last) => sql.query("DELETE FROM audit WHERE number > $1", [last - 2]),
    "end",
    (last) => last - 1,
  ],
  ["every row missing", (sql) => sql.query("DELETE FROM audit"), "end", () => 1],
  [
    "rows and heads missing at the end",
    (sql) => sql.query(`DELETE FROM audit WHERE number > ${at}; DELETE FROM audit_heads WHERE number > ${at}`),
    "end",
    () => at + 1,
  ],
  [
    "a row behind the end, chained as it should be",
    (sql, last) => rewrite(sql, `${copy("number + 1")} WHERE number = (SELECT max(number) FROM audit)`, last + 1),
    "inserted",
    (last) => last + 1,
  ],
  [
    "a changed row with every chain value behind it computed anew",
    (sql) => rewrite(sql, `UPDATE audit SET actor = 'x' WHERE number = ${at}`, at),
    "head",
    () => null,
  ],
  ["a head of another row", swapHeads, "head", () => null],
  [
    "a head with another signature",
    (sql) =>
      sql.query(
        "UPDATE audit_heads SET jws = left(jws, -10) || 'AAAAAAAAAA' WHERE number = (SELECT min(number) FROM audit_heads)",
      ),
    "head",
    () => null,
  ],
  ["no heads at all", (sql) => sql.query("DELETE FROM audit_heads"), "head", () => null],
  [
    "a key that signs heads and is nobody's",
    (sql) => sql.query("UPDATE audit_keys SET encrypted = '\\x00'"),
    "head",
    () => null,
  ],
  [
    "an end that the fleet has not sealed",
    (sql) => sql.query("UPDATE audit_state SET encrypted = '\\x00'"),
    "end",
    () => null,
  ],
];

interface Stored extends Record<string, unknown> {
  number: string;
  chain: Buffer;
}

const stored = `SELECT *, (extract(epoch FROM chained_at) * 1000000)::bigint AS chained, (extract(epoch FROM at) * 1000000)::bigint AS happened,
  details::text AS text FROM audit`;

function chainRow(row: Stored): ChainRow {
  return {
    number: Number(row.number),
    chainedAt: Number(row["chained"]),
    eventId: String(row["event_id"]),
    at: Number(row["happened"]),
    event: String(row["event"]),
    actor: String(row["actor"]),
    userId: row["user_id"] === null ? null : Number(row["user_id"]),
    outcome: String(row["outcome"]),
    traceparent: row["traceparent"] as string | null,
    details: String(row["text"]),
    personal: row["personal"] as Buffer | null,
  };
}

/** What whoever knows the form of the chain can do: every chain value from a row on computed anew. */
async function rewrite(sql: pg.Pool, statement: string, from: number): Promise<void> {
  await sql.query(statement);
  const { rows } = await sql.query<Stored>(`${stored} WHERE number >= $1 - 1 ORDER BY number`, [from]);
  let { chain } = rows[0]!;
  for (const row of rows.slice(1)) {
    chain = link(chain, chainRow(row));
    await sql.query("UPDATE audit SET chain = $2 WHERE number = $1", [row.number, chain]);
  }
}

async function swapHeads(sql: pg.Pool): Promise<void> {
  await sql.query(
    "UPDATE audit_heads SET jws = (SELECT jws FROM audit_heads ORDER BY number DESC LIMIT 1) WHERE number = (SELECT min(number) FROM audit_heads)",
  );
}

/**
 * As if a copy of the tables had been made at the second head: the fleet had sealed the end that it was then.
 * @returns its row's number
 */
export async function restoreOlder(sql: pg.Pool, dataKeys: DataKeys): Promise<number> {
  const { rows: heads } = await sql.query<{ number: string }>(
    "SELECT number FROM audit_heads ORDER BY number OFFSET 1 LIMIT 1",
  );
  const last = Number(heads[0]!.number);
  await sql.query(`DELETE FROM audit WHERE number > ${last}; DELETE FROM audit_heads WHERE number > ${last}`);
  const { rows } = await sql.query<Stored>(`${stored} WHERE number = ${last}`);
  const { chain } = rows[0]!;
  const encrypted = encryptEnd(dataKeys, { number: last, chain, at: Number(rows[0]!["chained"]), partition: "" });
  await sql.query("UPDATE audit_state SET encrypted = $1", [encrypted]);
  return last;
}
