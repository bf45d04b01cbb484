// Every table that says something of a user is in the list of src/db/personal-data.ts, which exports and erases by
// it; so that a new table cannot be forgotten. The database itself is walked, not the migrations.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { exportDocument } from "../src/accounts/data-export.ts";
import { personalTables } from "../src/db/personal-data.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await testFleet();
}, 60_000);
afterAll(() => fleet.close());

/** Columns that name a user, or are what one is known by. */
const telling = "^(user_id|login|login_key|email|email_key|username|ip|client|user_agent|device|address|label|phone)$";

/** Beside the columns that tell: not about anybody. */
const impersonal: Record<string, string> = {};

async function tables(): Promise<string[]> {
  const { rows } = await fleet.sql.query<{ name: string }>(
    `SELECT DISTINCT c.table_name AS name FROM information_schema.columns c JOIN pg_class k ON k.oid = format('%I', c.table_name)::regclass
     WHERE c.table_schema = 'public' AND NOT k.relispartition AND c.column_name ~ $1 ORDER BY 1`,
    [telling],
  );
  return rows.map(({ name }) => name);
}

test("every table that says something of a user is exported and erased, or says why not", async () => {
  const listed = [...Object.keys(personalTables), ...Object.keys(impersonal)];
  expect((await tables()).filter((name) => !listed.includes(name))).toEqual([]);
});

test("the guard sees a table that nobody has thought of, and the list has none that is gone", async () => {
  await fleet.sql.query("BEGIN");
  await fleet.sql.query("CREATE TABLE forgotten (user_id bigint, pet text)");
  expect(await tables()).toContain("forgotten");
  await fleet.sql.query("ROLLBACK");
  const found = await tables();
  expect(Object.keys(personalTables).filter((name) => !found.includes(name))).toEqual([]);
});

test("what goes with the user has a foreign key that takes it along", async () => {
  const { rows } = await fleet.sql.query<{ name: string }>(
    "SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE confrelid = 'users'::regclass AND contype = 'f' AND confdeltype = 'c'",
  );
  const taken = ["users", ...rows.map(({ name }) => name)];
  const claimed = Object.entries(personalTables).filter(([, { erased }]) => erased === "with the user");
  expect(claimed.map(([name]) => name).filter((name) => !taken.includes(name))).toEqual([]);
});

describe("the document", () => {
  const row = (text: string) => ({ at: text, text: text.repeat(100_000) });

  test("takes what there is room for, the newest first, and says what it leaves out", () => {
    const { a, b, history, leftOut } = exportDocument(
      { a: [1, 2], b: { c: 3 }, history: [..."987654321"].map(row) },
      0,
    ) as Record<string, unknown[]>;
    expect({ a, b }).toEqual({ a: [1, 2], b: { c: 3 } });
    expect(history).toEqual([..."987654"].map(row));
    expect(leftOut).toEqual({ history: { olderThan: "4" } });
  });

  test("counts what a text needs in a sealed reply, where it is a JSON text within a JSON text", () => {
    const { history } = exportDocument(
      { history: Array.from({ length: 9 }, () => ({ text: '"'.repeat(100_000) })) },
      0,
    ) as { history: unknown[] };
    expect(history).toHaveLength(1);
    const reply = JSON.stringify({ document: JSON.stringify({ history }) });
    expect(reply.length).toBeLessThan(640 * 1024);
  });
});
