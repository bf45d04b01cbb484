// The comparison of accounts with their audit: whatever the fleet does is as its audit says, and a write past the fleet
// is found.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { TooManyWait } from "../../src/audit/state.ts";
import { encryptEntry } from "../../src/crypto/audit.ts";
import { systemClock } from "../../src/lib/clock.ts";
import {
  actorToken,
  admin,
  chained,
  clean,
  compared,
  confirmedUser,
  harness,
  imported,
  loggedIn,
  loggedInWithCode,
  password,
  run,
  withFactors,
} from "./accounts.ts";

describe("what the fleet does to an account", () => {
  test("by whichever command, import and sweep, is what its audit says, while it waits to be chained and after", async () => {
    const [changed, banned, lifted, demoted, gone, reset] = await Promise.all([
      confirmedUser(),
      confirmedUser(),
      confirmedUser(),
      confirmedUser(["admin"]),
      confirmedUser(),
      withFactors(),
    ]);
    await confirmedUser(["admin"]);
    const { accessToken } = await loggedIn(changed); // with a new hash
    await harness.ask("auth.password.change", {
      accessToken,
      currentPassword: password,
      newPassword: "quite another password",
    });
    await admin("ban-user", banned.id, { until: systemClock.now() + 86_400_000 });
    await admin("ban-user", lifted.id, { until: null });
    await admin("unban-user", lifted.id);
    await harness.ask("auth.admin.set-roles", { actorToken, target: `id:${demoted.id}`, roles: ["user"] });
    await admin("delete-user", gone.id);
    await admin("reset-mfa", reset.id);
    const factors = await withFactors();
    await loggedInWithCode(factors);
    await harness.ask("auth.mfa.recovery-codes", { accessToken: factors.accessToken });
    await harness.ask("auth.passkey.remove", { accessToken: factors.accessToken, passkeyId: factors.passkeys[0]! });
    await imported();
    await imported({ confirmed: false });
    const movedHere = await imported({ banned: true, roles: ["user"] });
    await admin("unban-user", movedHere.id);
    const fresh = `f${randomBytes(6).toString("hex")}`;
    await harness.ask("auth.account.register", {
      login: fresh,
      username: fresh,
      email: `${fresh}@example.com`,
      password,
    });
    const sessions = harness.settings.sessionsMax;
    harness.settings.sessionsMax = 1;
    const many = await imported();
    for (let more = 0; more < 3; more += 1) await loggedIn(many); // a new hash, and sessions that end
    harness.settings.sessionsMax = sessions;
    const waiting = await compared();
    expect(waiting).toMatchObject(clean);
    expect(waiting.accounts).toBeGreaterThan(10);
    await chained();
    expect(await compared()).toEqual(waiting);
    await harness.sweep();
    expect(await compared()).toMatchObject(clean);
  });

  test("is not taken for tampering while commands run beside the comparison", async () => {
    const users = await Promise.all(Array.from({ length: 4 }, () => confirmedUser()));
    let done = false;
    const busy = (async () => {
      for (let round = 0; round < 12; round += 1)
        await Promise.all(users.map(({ id }) => admin(round % 2 === 0 ? "ban-user" : "unban-user", id)));
      done = true;
    })();
    const chaining = (async () => {
      while (!done) await chained();
    })();
    while (!done) expect(await compared()).toMatchObject(clean);
    await Promise.all([busy, chaining]);
  });

  test("leaves decoys out of the comparison", async () => {
    const before = (await compared()).accounts;
    await run(sql.fragment`
      INSERT INTO users (id, login, login_key, username, email, email_key, decoy)
      VALUES (nextval('user_ids'), 'decoy1', 'decoy1', 'decoy1', 'x', 'x', true) RETURNING 1`);
    expect(await compared()).toEqual({ accounts: before + 1, ...clean });
  });
});

describe("a write past the fleet", () => {
  interface Tamper {
    what: string;
    aspect: string;
    /** @returns how it is undone */
    write(one: Awaited<ReturnType<typeof withFactors>>): Promise<() => Promise<unknown>>;
  }
  const changing = (
    what: string,
    aspect: string,
    table: string,
    column: string,
    value: ReturnType<typeof sql.fragment>,
  ): Tamper => ({
    what,
    aspect,
    async write({ id }) {
      const [names, key] = [sql.identifier([table]), sql.identifier([table === "users" ? "id" : "user_id"])];
      const of = sql.identifier([column]);
      await run(sql.fragment`CREATE TABLE kept AS SELECT ${of} AS value FROM ${names} WHERE ${key} = ${id} LIMIT 1`);
      await run(sql.fragment`UPDATE ${names} SET ${of} = ${value} WHERE ${key} = ${id} RETURNING 1`);
      return async () => {
        await run(sql.fragment`UPDATE ${names} SET ${of} = (SELECT value FROM kept) WHERE ${key} = ${id} RETURNING 1`);
        await run(sql.fragment`DROP TABLE kept`);
      };
    },
  });
  /** Takes rows out of a table, or puts one in. */
  const rows = (
    what: string,
    aspect: string,
    table: string,
    more: (id: number) => ReturnType<typeof sql.fragment>,
  ): Tamper => ({
    what,
    aspect,
    async write({ id }) {
      const names = sql.identifier([table]);
      await run(sql.fragment`CREATE TABLE kept AS SELECT * FROM ${names} WHERE user_id = ${id}`);
      await run(more(id));
      return async () => {
        await run(sql.fragment`DELETE FROM ${names} WHERE user_id = ${id} RETURNING 1`);
        await run(sql.fragment`INSERT INTO ${names} SELECT * FROM kept RETURNING 1`);
        await run(sql.fragment`DROP TABLE kept`);
      };
    },
  });
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "der", type: "spki" });

  const tampers: Tamper[] = [
    changing(
      "another hash",
      "password",
      "credentials",
      "hash",
      sql.fragment`'$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA'`,
    ),
    rows(
      "no password",
      "password",
      "credentials",
      (id) => sql.fragment`DELETE FROM credentials WHERE user_id = ${id} RETURNING 1`,
    ),
    changing("no confirmation", "confirmed", "users", "confirmed_at", sql.fragment`NULL`),
    changing("another address", "address", "users", "email_key", sql.fragment`'eve@example.com'`),
    changing("a ban", "ban", "users", "banned_at", sql.fragment`now()`),
    rows(
      "a role",
      "roles",
      "user_roles",
      (id) => sql.fragment`
      INSERT INTO user_roles SELECT ${id}, id FROM roles WHERE name = 'admin' RETURNING 1`,
    ),
    rows(
      "no app",
      "app",
      "totp_factors",
      (id) => sql.fragment`DELETE FROM totp_factors WHERE user_id = ${id} RETURNING 1`,
    ),
    changing("another app", "app", "totp_factors", "secret", sql.fragment`'\\x01'::bytea`),
    changing("an app that is not active", "app", "totp_factors", "activated_at", sql.fragment`NULL`),
    rows(
      "a recovery code more",
      "recovery codes",
      "recovery_codes",
      (id) => sql.fragment`
      INSERT INTO recovery_codes (user_id, hash) VALUES (${id}, '\\x02'::bytea) RETURNING 1`,
    ),
    rows(
      "a recovery code fewer",
      "recovery codes",
      "recovery_codes",
      (id) => sql.fragment`
      DELETE FROM recovery_codes WHERE (user_id, hash) IN (SELECT user_id, hash FROM recovery_codes WHERE user_id = ${id} LIMIT 1) RETURNING 1`,
    ),
    rows(
      "a used recovery code that can be used again",
      "used code",
      "recovery_codes",
      (id) => sql.fragment`UPDATE recovery_codes SET used_at = NULL WHERE user_id = ${id} RETURNING 1`,
    ),
    rows(
      "a passkey more",
      "passkey",
      "passkeys",
      (id) => sql.fragment`
      INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, transports, synced, label)
      VALUES (gen_random_uuid(), ${id}, 'evil', ${sql.binary(key)}, 0, '{}', false, '') RETURNING 1`,
    ),
    rows(
      "a passkey fewer",
      "passkey",
      "passkeys",
      (id) => sql.fragment`
      DELETE FROM passkeys WHERE id = (SELECT min(id::text)::uuid FROM passkeys WHERE user_id = ${id}) RETURNING 1`,
    ),
    rows(
      "another passkey's key",
      "passkey",
      "passkeys",
      (id) => sql.fragment`
      UPDATE passkeys SET public_key = ${sql.binary(key)} WHERE id = (SELECT min(id::text)::uuid FROM passkeys WHERE user_id = ${id}) RETURNING 1`,
    ),
    changing("the mark of a decoy", "decoy", "users", "decoy", sql.fragment`true`),
  ];
  let victim: Awaited<ReturnType<typeof withFactors>>;
  beforeAll(async () => {
    victim = await withFactors();
    await loggedInWithCode(victim);
    await chained();
  });

  test.each(tampers)("of $what is found, of this account and in this", async ({ aspect, write }) => {
    expect(await compared()).toMatchObject(clean); // the control
    const undo = await write(victim);
    const found = [{ userId: victim.id, login: victim.login, aspects: [expect.objectContaining({ aspect })] }];
    expect(await compared()).toMatchObject({ unknown: 0, differing: 1, found });
    await undo();
    expect(await compared()).toMatchObject(clean);
  });

  test("that confirms, bans until later, lifts a ban or takes a role is found too", async () => {
    const login = `n${randomBytes(6).toString("hex")}`;
    const { userId } = await harness.ask("auth.account.register", {
      login,
      username: login,
      email: `${login}@example.com`,
      password,
    });
    const [banned, lifted, holder] = [await confirmedUser(), await confirmedUser(), await confirmedUser(["user"])];
    const until = systemClock.now() + 86_400_000;
    for (const { id } of [banned, lifted]) await admin("ban-user", id, { until });
    await run(sql.fragment`UPDATE users SET confirmed_at = now() WHERE id = ${userId!} RETURNING 1`);
    await run(sql.fragment`UPDATE users SET banned_until = NULL WHERE id = ${banned.id} RETURNING 1`);
    await run(sql.fragment`UPDATE users SET banned_at = NULL, banned_until = NULL WHERE id = ${lifted.id} RETURNING 1`);
    await run(sql.fragment`DELETE FROM user_roles WHERE user_id = ${holder.id} RETURNING 1`);
    const { found } = await compared();
    expect(found.map(({ userId: id, aspects }) => [id, aspects.map(({ aspect }) => aspect)])).toEqual(
      [
        [userId, ["confirmed"]],
        [banned.id, ["ban"]],
        [lifted.id, ["ban"]],
        [holder.id, ["roles"]],
      ].sort(([a], [b]) => Number(a) - Number(b)),
    );
    for (const id of [userId!, banned.id, lifted.id, holder.id]) await admin("delete-user", id);
  });

  test("of a whole account is found where the audit is whole, and unknown where its beginning is gone", async () => {
    const [{ id }] = (await run(sql.fragment`
      INSERT INTO users (id, login, login_key, username, email, email_key, confirmed_at)
      VALUES (nextval('user_ids'), 'eve1', 'eve1', 'eve1', 'eve@example.com', 'eve@example.com', now()) RETURNING id`)) as [
      { id: number },
    ];
    const aspects = ["confirmed", "address"].map((aspect) => ({ aspect, row: null }));
    expect(await compared()).toMatchObject({ differing: 1, found: [{ userId: Number(id), login: "eve1", aspects }] });
    expect(await compared(false)).toMatchObject({ unknown: 1, differing: 0 });
    await run(sql.fragment`DELETE FROM users WHERE id = ${Number(id)} RETURNING 1`);
  });

  test("of a subject's key leaves digests that nobody can read, and is found", async () => {
    const one = await confirmedUser();
    await chained();
    const other = await confirmedUser();
    await chained();
    await run(
      sql.fragment`UPDATE user_keys SET encrypted = (SELECT encrypted FROM user_keys WHERE user_id = ${other.id}) WHERE user_id = ${one.id} RETURNING 1`,
    );
    expect((await compared()).found.map(({ userId }) => userId)).toEqual([one.id]);
    await admin("delete-user", one.id);
  });
});

test("an event from before digests were kept leaves its aspect unknown, and is counted; the next one makes it known", async () => {
  const { id } = await confirmedUser();
  const before = {
    event: "PasswordChanged",
    actor: `user:${id}`,
    userId: id,
    outcome: "ok",
    traceparent: null,
    details: {},
    personal: null,
  };
  const encrypted = encryptEntry(harness.dataKeys(), {
    ...before,
    eventId: "0190b8a5-0000-7000-8000-000000000000",
    at: systemClock.now(),
  });
  await run(sql.fragment`INSERT INTO audit_intake (encrypted) VALUES (${sql.binary(encrypted)}) RETURNING 1`);
  await chained();
  const other = sql.fragment`UPDATE credentials SET hash = hash || 'x' WHERE user_id = ${id} RETURNING 1`;
  expect(await compared()).toMatchObject({ unknown: 1, differing: 0 });
  await run(other);
  expect(await compared()).toMatchObject({ unknown: 1, differing: 0 });
  await run(sql.fragment`UPDATE users SET banned_at = now() WHERE id = ${id} RETURNING 1`); // what is known is compared all the same
  expect(await compared()).toMatchObject({
    unknown: 0,
    differing: 1,
    found: [{ userId: id, aspects: [{ aspect: "ban" }] }],
  });
  await admin("delete-user", id);
  expect(await compared()).toMatchObject(clean);
});

test("a comparison with too many unchained rows is refused", async () => {
  await run(
    sql.fragment`INSERT INTO audit_intake (encrypted) SELECT '\\x00'::bytea FROM generate_series(1, 20001) RETURNING 1`,
  );
  await expect(compared()).rejects.toThrow(TooManyWait);
  await run(sql.fragment`DELETE FROM audit_intake WHERE encrypted = '\\x00'::bytea RETURNING 1`);
});
