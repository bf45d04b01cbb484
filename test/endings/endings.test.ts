// After an ending was answered nothing that was made before it counts, also where the two were being committed beside
// each other. The matrix is derived: what ends something and what makes something is seen at the database while every
// command is carried out, so that a new command fails the test until it is in rows.ts or columns.ts.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { legacyHandlers } from "../../src/legacy/handlers.ts";
import { scenarios } from "../handlers/scenarios.ts";
import { without } from "../support/faults.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import { holdUser } from "../support/held.ts";
import type { ScenarioRunner } from "../support/scenarios.ts";
import { until } from "../support/until.ts";
import { beside, client, columns } from "./columns.ts";
import { type Controls, controls } from "./controls.ts";
import { endingFaults } from "./faults.ts";
import { cellsOf, givenInSessions, type Judged, runGiven, runMatrix, width } from "./matrix.ts";
import { rows } from "./rows.ts";
import { administrator, outcomeOf, risesAtOnce } from "./scenario.ts";

let harness: HandlerHarness;
beforeAll(async () => {
  harness = await handlerHarness({
    ...{ poolSize: 2 * width + 6, cheapHashes: true },
    // Room for all sessions of "revoke many others": opening one more must not end the acting one.
    env: { AUTH_ATTEMPTS_FREE: "100", AUTH_ATTEMPTS_ACCOUNT_FREE: "100", AUTH_SESSIONS_MAX: "200" },
  });
}, 60_000);
afterAll(() => harness.close());

const faulty = (judged: readonly Judged[]) => judged.filter(({ faults }) => faults.length > 0);

describe("the matrix", () => {
  let judged: Judged[] = [];

  test("whichever commit comes first, nothing from before the ending counts, and what comes after it is not refused for nothing", async () => {
    judged = await runMatrix(harness, harness.url, cellsOf());
    expect(faulty(judged)).toEqual([]);
  }, 120_000);

  test("every row and every column is in it", () => {
    const met = (name: "row" | "column") => [...new Set(judged.map((each) => each[name]))].sort();
    expect(met("row")).toEqual(rows.map(({ name }) => name).sort());
    expect(met("column")).toEqual(columns.map(({ name }) => name).sort());
  });

  test("a ban among twelve logins of one user that wait for the row: each is refused, or over", async () => {
    const { id, login, password } = await account(harness);
    const row = await holdUser(harness.url, id);
    const actorToken = await administrator(harness);
    let waiting = 0;
    /**
     * One after the other, so that each waits before the next has begun. Who waits first has the row first, of the
     * others it is not known.
     */
    const queued = async <T>(call: () => Promise<T>): Promise<{ answer: Promise<T> }> => {
      const answer = call();
      waiting += 1;
      await until(`${waiting} wait`, async () => (await row.waiting()) === waiting);
      return { answer };
    };
    const opened: string[] = [];
    const log = async () => {
      const { tokens } = await harness.ask("auth.session.login", { login, password, client: client() });
      opened.push(tokens!.refreshToken);
    };
    const logins: { answer: Promise<string> }[] = [];
    for (let n = 0; n < 6; n += 1) logins.push(await queued(() => outcomeOf(log())));
    const ban = await queued(() => harness.ask("auth.admin.ban-user", { actorToken, target: login, reason: "a test" }));
    for (let n = 0; n < 6; n += 1) logins.push(await queued(() => outcomeOf(log())));
    await row.release();
    await ban.answer;
    const outcomes = await Promise.all(logins.map(({ answer }) => answer));
    expect(outcomes[0]).toBe("ok");
    expect(outcomes.filter((outcome) => outcome !== "ok" && outcome !== "BANNED")).toEqual([]);
    expect(opened).toHaveLength(outcomes.filter((outcome) => outcome === "ok").length);
    for (const refreshToken of opened)
      expect(await harness.outcome("auth.session.refresh", { refreshToken })).toBe("SESSION_REVOKED");
    const live = sql.unsafe`SELECT FROM sessions WHERE user_id = ${id} AND ended_at IS NULL`;
    expect(await harness.pool.exists(live)).toBe(false); // lifting the ban brings none of them back
  }, 30_000);

  test("a user's generation rises one by one, also where three commands that raise it wait for the row", async () => {
    expect(await risesAtOnce(harness)).toEqual([1, 2, 3]);
  }, 30_000);

  test("a command that is given in a session does nothing once that session was ended, whatever it waits for", async () => {
    const given = await runGiven(harness, harness.url);
    expect(given.filter(({ outcome }) => outcome !== "SESSION_REVOKED")).toEqual([]);
    expect(given).toHaveLength(givenInSessions().length);
  }, 60_000);

  afterAll(() => console.log(table(judged)));
});

/** What was ended and what goes on of what was made first, a row each. */
function table(judged: readonly Judged[]): string {
  const mark = (row: string, column: string): string =>
    (["made first", "ended first"] as const)
      .map((first) => {
        const cell = judged.find((each) => each.row === row && each.column === column && each.first === first);
        if (cell === undefined) return " ";
        if (cell.faults.length > 0) return "!";
        return cell.made.some((made) => /: [^-]/.test(made)) ? "+" : "-";
      })
      .join("");
  const names = columns.map(({ name }) => name);
  const lines = rows.map(({ name }) => `${names.map((column) => mark(name, column)).join("  ")}  ${name}`);
  return [`columns: ${names.join(", ")}`, "made first, ended first: + counts, - does not", ...lines].join("\n");
}

describe("the controls", () => {
  test("each cell in which something must be over or refused sees that it is not, where nothing is ended", async () => {
    const judged = await runMatrix(harness, harness.url, cellsOf(), { ending: false });
    const owing = judged.filter(({ owes }) => owes);
    expect(owing.length).toBeGreaterThan(judged.length / 3);
    expect(owing.filter(({ faults }) => faults.length === 0)).toEqual([]);
    // The others say that what goes on goes on: an ending that ended it would be "over for nothing", or "refused for
    // nothing".
    expect(judged.filter(({ owes, made }) => !owes && made.length === 0)).toEqual([]);
  }, 120_000);

  test("each piece of the mechanism that is switched off lets something through, in every row", async () => {
    const names = Object.keys(endingFaults) as (keyof typeof endingFaults)[];
    const script = join(import.meta.dirname, "controls.ts");
    const { stdout } = await promisify(execFile)(process.execPath, [...without(...names), script], {
      maxBuffer: 1e8,
    });
    const { found, rises } = JSON.parse(stdout) as Controls;
    const silent = found.flatMap(({ off, judged }) =>
      judged.filter(({ faults }) => faults.length === 0).map(({ row, column, made }) => ({ off, row, column, made })),
    );
    expect(silent).toEqual([]);
    const shown = new Set(found.flatMap(({ judged }) => judged.map(({ row }) => row)));
    expect([...shown].sort()).toEqual(rows.map(({ name }) => name).sort());
    expect(new Set(controls.flatMap(({ off }) => off))).toEqual(new Set(names));
    expect(rises).not.toEqual([1, 2, 3]);
  }, 120_000);
});

/** What counts for nothing by itself, though it names a user. */
const never: Record<string, string> = {
  users: "the account itself",
  credentials: "a password: setting one is an ending (rows)",
  user_roles: "rights: setting them is an ending (rows)",
  login_attempts: "what was guessed",
  user_keys: "opens the audit",
  outbox: "says what happened",
  quarantined_logins: "keeps a login taken",
};

describe("the matrix is derived", () => {
  let ending: Set<string>;
  let making: Set<string>;
  let tables: string[];
  beforeAll(async () => {
    ({ ending, making, tables } = await derived());
  }, 120_000);

  test("every table that names a user is one that things are made in, or says why not", () => {
    expect(tables.filter((name) => Object.hasOwn(never, name)).sort()).toEqual(Object.keys(never).sort());
    expect(tables.filter((name) => !Object.hasOwn(never, name)).sort()).toEqual([
      ...["challenges", "known_devices", "one_time_tokens", "passkeys", "recovery_codes", "sessions", "totp_factors"],
    ]);
  });

  test("what ends something is a row", () => {
    const listed = new Set(rows.flatMap(({ topic = [] }) => topic));
    expect([...ending].filter((topic) => !listed.has(topic))).toEqual([]);
    expect(ending.size).toBeGreaterThan(15);
  });

  test("what makes something is a column, or says why no ending can meet it", () => {
    const listed = new Set([...columns.map(({ topic }) => topic), ...Object.keys(beside)]);
    expect([...making].filter((topic) => !listed.has(topic))).toEqual([]);
    expect([...listed].filter((topic) => !making.has(topic))).toEqual([]);
  });
});

/** Carries out every command, one after the other, and sees at the database what each has written. */
async function derived(): Promise<{ ending: Set<string>; making: Set<string>; tables: string[] }> {
  const own = await handlerHarness({ cheapHashes: true, env: { AUTH_PASSWORD_MIN: "15" } });
  const { pool } = own;
  const name = z.object({ name: z.string() });
  const naming = await pool.anyFirst(sql.type(name)`
    SELECT c.table_name AS name FROM information_schema.columns c JOIN pg_class k ON k.oid = format('%I', c.table_name)::regclass
    WHERE c.table_schema = 'public' AND NOT k.relispartition AND (c.column_name = 'user_id' OR c.table_name = 'users') AND c.table_name <> 'audit'
    GROUP BY 1 ORDER BY 1`);
  await pool.query(sql.unsafe`CREATE TABLE written (name text)`);
  await pool.query(sql.unsafe`
    CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO written VALUES (TG_ARGV[0]); RETURN NULL; END'`);
  for (const each of naming) {
    const table = sql.identifier([each]);
    await pool.query(
      sql.unsafe`CREATE TRIGGER note_row AFTER INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION note_row(${sql.literalValue(each)})`,
    );
  }
  await pool.query(sql.unsafe`
    CREATE TRIGGER note_revocation AFTER INSERT ON outbox FOR EACH ROW WHEN (NEW.topic = 'auth.revocation')
    EXECUTE FUNCTION note_row('auth.revocation')`);
  const ending = new Set<string>();
  const making = new Set<string>();
  const seen = async <T>(topic: string, call: () => Promise<T>): Promise<T> => {
    await pool.query(sql.unsafe`TRUNCATE written`);
    const answer = await call();
    const written = await pool.anyFirst(sql.type(name)`SELECT DISTINCT name FROM written`);
    if (written.includes("auth.revocation")) ending.add(topic);
    const made = written.filter((each) => each !== "auth.revocation" && !Object.hasOwn(never, each));
    if (made.length > 0 || JSON.stringify(answer ?? {}).includes('"accessToken"')) making.add(topic);
    return answer;
  };
  const actorToken = await administrator(own);
  const ask = (topic: string, input: object) => own.ask(topic as never, input as never) as Promise<never>;
  const runner: ScenarioRunner = {
    ask: (topic, input) => seen(topic, () => ask(topic, input)),
    refused: (topic, input) => seen(topic, () => outcomeOf(ask(topic, input))),
    mailedToken: async (to) => (await own.mailedTokens({ to })).at(-1)!,
    note: () => undefined,
    operatorToken: () => Promise.resolve(actorToken),
  };
  for (const [topic, { run }] of Object.entries(scenarios)) await run(runner, topic);
  for (const { topic } of legacyHandlers) {
    const { id } = await account(own);
    if (topic === "check_verified") await pool.query(sql.unsafe`UPDATE users SET confirmed_at = NULL WHERE id = ${id}`);
    await seen(topic, () => own.tell(topic, { id }));
  }
  await own.close();
  return { ending, making, tables: [...naming] };
}
