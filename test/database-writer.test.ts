// What somebody can do who writes to the database and holds no key of the fleet, as docs/security.md lists it: what
// works, and whether `authctl audit verify --state` finds it. What they cannot do is in audit/audit.test.ts,
// audit/state.test.ts and handlers/operators.test.ts.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { z } from "zod";
import { compareAccounts } from "../src/audit/state.ts";
import { hashSecret, newOpaque } from "../src/crypto/opaque.ts";
import { account, type HandlerHarness, handlerHarness } from "./support/handlers.ts";
import { mailbox } from "./support/mailbox.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";

let harness: HandlerHarness;
let owner: Awaited<ReturnType<typeof account>>;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true });
  owner = await account(harness);
  // Confirmed past the fleet, as the helper does it: what is found later is compared with this.
  known = await found();
}, 60_000);
afterAll(() => harness.close());

let known: string[];

async function found(): Promise<string[]> {
  const parts = { pool: harness.pool, dataKeys: harness.dataKeys(), complete: true, pageSize: 100 };
  return (await compareAccounts(parts)).found.map((each) => JSON.stringify(each));
}

/** A token of our own, and its hash as the database keeps it. */
function own(): { id: string; token: string; hash: Buffer } {
  const id = randomUUID();
  const { token, secret } = newOpaque(id);
  return { id, token, hash: hashSecret(secret) };
}

const run = (query: ReturnType<typeof sql.fragment>) =>
  harness.pool.any(sql.type(z.record(z.string(), z.unknown()))`${query}`);

describe("a row that somebody writes past the fleet", () => {
  test("is a session of whomever they name: the fleet signs tokens for it, and no comparison with the audit finds it", async () => {
    const { id, token: refreshToken, hash } = own();
    const refresh = () => harness.ask("auth.session.refresh", { refreshToken });
    await expect(refresh()).rejects.toMatchObject({ code: "TOKEN_INVALID" }); // the control
    await run(sql.fragment`
      INSERT INTO sessions (id, user_id, rotating, refresh_hash, refresh_key, expires_at, amr)
      SELECT ${id}::uuid, ${owner.id}, true, ${sql.binary(hash)}::bytea, max(id), now() + interval '1 day', '{pwd,otp,mfa}'
      FROM data_keys WHERE purpose = 'refresh'`);
    const { accessToken } = await refresh();
    expect(await harness.ask("auth.session.inspect", { accessToken })).toMatchObject({ userId: owner.id });
    expect(await found()).toEqual(known);
  });

  test("is a link to a new password of whomever they name; the password is then the fleet's own work to the audit", async () => {
    const { id, token, hash } = own();
    await run(sql.fragment`
      INSERT INTO one_time_tokens (id, user_id, purpose, secret_hash, expires_at, generation)
      SELECT ${id}::uuid, id, 'reset', ${sql.binary(hash)}::bytea, now() + interval '1 hour', generation FROM users WHERE id = ${owner.id}`);
    const newPassword = "what they like for a password";
    await harness.ask("auth.password.reset", { token, newPassword });
    expect(await harness.outcome("auth.session.login", { login: owner.login, password: newPassword })).toBe("ok");
    expect(await found()).toEqual(known);
  });

  test("is found where it is a role, by the account and the aspect", async () => {
    await run(
      sql.fragment`INSERT INTO user_roles (user_id, role_id) SELECT ${owner.id}, id FROM roles WHERE name = 'admin'`,
    );
    const more = (await found()).filter((each) => !known.includes(each));
    expect(more).toEqual([expect.stringContaining("roles")]);
  });
});

describe("a row that somebody writes into the outbox", () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await testFleet();
  }, 60_000);
  afterAll(() => fleet.close());

  test("is published by the relay as the fleet's own word", async () => {
    const revocations = mailbox(fleet.kafka, ["auth.revocation"]);
    await revocations.ready;
    const key = `s:${randomUUID()}`;
    await fleet.sql.query(
      `INSERT INTO outbox (shard, topic, key, kind, event_id, actor, body)
       VALUES (0, 'auth.revocation', $1, 'json', gen_random_uuid(), 'operator:nobody', '{}')`,
      [key],
    );
    await fleet.sql.query("SELECT pg_notify('auth_outbox', '')");
    expect(await revocations.last("auth.revocation", (record) => String(record.key) === key)).toBeDefined();
  });
});
