// Two accounts that want one e-mail address at the same moment: whichever commit comes first has it, and the other is
// told. Each commit in turn is held in the database after it has written its user, until the other one waits for it;
// what decides is the index over confirmed addresses. The control is the same without that index: both get the address.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { sql } from "slonik";
import { z } from "zod";
import { createConfirmedAccount } from "../../src/accounts/create-confirmed-account.ts";
import type { RejectsFile } from "../../src/authctl/import/rejects.ts";
import { runImport } from "../../src/authctl/import/run.ts";
import { hashSecret, newOpaque } from "../../src/crypto/opaque.ts";
import { beginImport, noCounts } from "../../src/db/imports.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import { testStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

let harness: HandlerHarness;
const lock = 4711;
beforeAll(async () => {
  harness = await handlerHarness();
  // Whoever has written a confirmed user waits here before the commit, while somebody holds the lock.
  await harness.pool.query(sql.unsafe`
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END'`);
  await harness.pool.query(sql.unsafe`
    CREATE TRIGGER hold AFTER INSERT OR UPDATE ON users FOR EACH ROW WHEN (NEW.confirmed_at IS NOT NULL) EXECUTE FUNCTION hold()`);
}, 60_000);
afterAll(() => harness.close());

const newLogin = (): string => `u${randomBytes(6).toString("hex")}`;

/**
 * What ends with the address being somebody's. Prepared first, so that nothing but the commit is left to do.
 * @returns ok, or why not
 */
type Wish = (harness: HandlerHarness, email: string) => Promise<() => Promise<string>>;

/** A link as it is mailed: the token's secret is known to nobody else. */
async function linkTo({ pool }: HandlerHarness, login: string, purpose: "confirm" | "email", email?: string) {
  const id = (await pool.oneFirst(
    sql.type(z.object({ id: z.string() }))`SELECT gen_random_uuid()::text AS id`,
  )) as string;
  const { token, secret } = newOpaque(id);
  await pool.query(sql.unsafe`
    INSERT INTO one_time_tokens (id, user_id, purpose, secret_hash, expires_at, email, email_key)
    SELECT ${id}::uuid, id, ${purpose}, ${sql.binary(hashSecret(secret))}, now() + interval '1 hour', ${email ?? null}, ${email ?? null}
    FROM users WHERE login_key = ${login}`);
  return token;
}

const codeOf = (error: unknown): string => {
  if (!(error instanceof Refusal)) throw error;
  const { reason } = error.details;
  return reason === undefined ? error.code : `${error.code} ${reason}`;
};

const wishes: Record<string, Wish> = {
  async "confirming an account"(at, email) {
    const login = newLogin();
    const password = "good enough for this";
    const given = { login, username: login, email, password };
    const { registrationSecret } = await at.ask("auth.account.register", given);
    const token = await linkTo(at, login, "confirm");
    return () => at.ask("auth.account.confirm", { token, registrationSecret, password: "" }).then(() => "ok", codeOf);
  },
  async "confirming a change of address"(at, email) {
    const { login } = await account(at);
    const token = await linkTo(at, login, "email", email);
    return () => at.ask("auth.account.confirm-email", { token }).then(() => "ok", codeOf);
  },
  async "making an administrator"({ pool, dataKeys }, email) {
    const login = newLogin();
    const made = { login, username: login, email, hash: "x", roles: ["admin"], actor: "operator:test", reason: "" };
    const parts = { pool, clock: systemClock, dataKeys };
    return () => createConfirmedAccount(parts, { ...made, tellPlatform: false }).then(() => "ok", codeOf);
  },
  async "importing a user"({ pool }, email) {
    const login = newLogin();
    const given = { login, email, hash: "$2b$04$uSmRrGyk/oXsaULeM73tEeUa3k2b2mmVp.kIcddbTVFtk6fztcGRi" };
    const source = `test:${login}`;
    await beginImport(pool, { source, fingerprint: "", actor: "operator:test", position: 0 });
    return async () => {
      const counts = noCounts();
      await pool.connect((db) =>
        runImport({
          ...{
            db,
            counts,
            again: undefined,
            events: undefined,
            loginHash: undefined,
            audited: () => Buffer.alloc(0),
            dryRun: false,
            clock: systemClock,
          },
          source: {
            name: source,
            pages: async function* () {
              yield [{ position: 1, nextByte: 0, given }];
            },
          } as never,
          from: { position: 0, nextByte: 0 },
          roles: { known: new Set(), names: new Map() },
          rejects: { write: () => Promise.resolve(0), keep: () => undefined } as unknown as RejectsFile,
          stopping: new AbortController().signal,
          reached: { rows: 0, largestId: 0, ended: false },
          moved: () => undefined,
        }),
      );
      return counts.imported === 1 ? "ok" : Object.keys(counts.rejected).join();
    };
  },
};

async function connectionTo({ pool }: HandlerHarness): Promise<pg.Client> {
  const own = new URL(testStack().database);
  own.pathname = await pool.oneFirst(
    sql.type(z.object({ name: z.string() }))`SELECT '/' || current_database() AS name`,
  );
  const client = new pg.Client({ connectionString: own.href });
  await client.connect();
  return client;
}

/** How many statements wait for a lock. */
const waiting = ({ pool }: HandlerHarness): Promise<number> =>
  pool.oneFirst(sql.type(z.object({ n: z.number() }))`
    SELECT count(*) AS n FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND datname = current_database() AND backend_type = 'client backend'`);

/**
 * Lets the first commit write its user and holds it there, until the second waits too.
 * @returns how the two end, and how many have the address
 */
async function race(at: HandlerHarness, first: Wish, second: Wish): Promise<[string, string, number]> {
  const email = `${newLogin()}@example.com`;
  const [one, two] = [await first(at, email), await second(at, email)];
  const holder = await connectionTo(at);
  await holder.query("SELECT pg_advisory_lock($1)", [lock]);
  const begun = [one()];
  try {
    await until("the first is held", async () => (await waiting(at)) === 1);
    begun.push(two());
    await until("the second waits", async () => (await waiting(at)) === 2);
  } finally {
    await holder.end(); // lets them go on
  }
  const [a = "", b = ""] = await Promise.all(begun);
  const owners = await at.pool.oneFirst(sql.type(z.object({ n: z.number() }))`
    SELECT count(*) AS n FROM users WHERE email_key = ${email} AND confirmed_at IS NOT NULL`);
  return [a, b, owners];
}

const told: Record<string, string> = {
  "confirming an account": "TOKEN_INVALID address-taken",
  "confirming a change of address": "EMAIL_TAKEN address-taken",
  "making an administrator": "EMAIL_TAKEN",
  "importing a user": "email-taken",
};
const pairs = Object.keys(wishes).flatMap((first) => Object.keys(wishes).map((second) => [first, second] as const));

describe.each(pairs)("%s, and beside it %s", (first, second) => {
  test("the one that commits first has the address, and the other is told", async () => {
    expect(await race(harness, wishes[first]!, wishes[second]!)).toEqual(["ok", told[second], 1]);
  });
});

test("without the index both would have it", async () => {
  await harness.pool.query(sql.unsafe`DROP INDEX users_email_unique`); // the last test of this database
  const { "confirming an account": confirming = async () => async () => "" } = wishes;
  expect(await race(harness, confirming, confirming)).toEqual(["ok", "ok", 2]);
});
