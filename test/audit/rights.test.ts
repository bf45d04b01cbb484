// The comparison of roles and operators with their audit.
import { randomBytes } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { sql } from "slonik";
import { Rights } from "../../src/audit/rights.ts";
import { encryptOperator, newSigner, signerFrom } from "../../src/crypto/operators.ts";
import { rowsBehind } from "../../src/db/audit-reading.ts";
import { actorToken, chained, harness, run } from "./accounts.ts";

describe("rights", () => {
  async function differences(complete = true): Promise<string[]> {
    const rights = new Rights();
    const rows = await rowsBehind(harness.pool, { number: 0, chainedAt: 0 }, 100_000);
    for (const each of rows) rights.see(each);
    return rights.compare({
      pool: harness.pool,
      dataKeys: harness.dataKeys(),
      complete,
      behind: rows.at(-1)?.number ?? 0,
    });
  }
  const role = `r${randomBytes(4).toString("hex")}`;

  test("of roles and operators are as the audit says, chained or not, whatever the fleet did to them", async () => {
    const change = (input: object) => harness.ask("auth.admin.change-role", { actorToken, role, ...input } as never);
    await change({ create: true, grant: ["a.one", "b.two"] });
    await change({ revoke: ["b.two"] });
    await harness.ask("auth.admin.require-mfa", { actorToken, role, required: true });
    await harness.ask("auth.admin.change-role", { actorToken, role: `${role}x`, create: true });
    await harness.ask("auth.admin.delete-role", { actorToken, role: `${role}x` });
    await harness.ask("auth.admin.change-role", { actorToken, role: "admin", grant: ["posts.moderate"] });
    const publicKey = JSON.stringify((await signerFrom(newSigner("x"))).jwk);
    for (const name of ["olga", "otto"])
      await harness.ask("auth.admin.add-operator", { actorToken, name, publicKey, permissions: ["a.one"] });
    await harness.ask("auth.admin.remove-operator", { actorToken, name: "otto", kid: null });
    expect(await differences()).toEqual([]);
    await chained();
    expect(await differences()).toEqual([]);
  });

  test("that were written past the fleet are found, one by one", async () => {
    const [{ encrypted }] = (await run(sql.fragment`SELECT encrypted FROM operators WHERE name = 'olga'`)) as [
      { encrypted: Buffer },
    ];
    const tampers: [ReturnType<typeof sql.fragment>, RegExp, ReturnType<typeof sql.fragment>][] = [
      [
        sql.fragment`INSERT INTO role_permissions SELECT id, 'users.ban' FROM roles WHERE name = 'user' RETURNING 1`,
        /^The role user permits users\.ban, and by its last event \(nothing\)\.$/,
        sql.fragment`DELETE FROM role_permissions WHERE permission = 'users.ban' AND role_id = (SELECT id FROM roles WHERE name = 'user') RETURNING 1`,
      ],
      [
        sql.fragment`DELETE FROM role_permissions WHERE permission = 'users.ban' AND role_id = (SELECT id FROM roles WHERE name = 'admin') RETURNING 1`,
        /^The role admin permits /,
        sql.fragment`INSERT INTO role_permissions SELECT id, 'users.ban' FROM roles WHERE name = 'admin' RETURNING 1`,
      ],
      [
        sql.fragment`UPDATE roles SET requires_mfa = false WHERE name = ${role} RETURNING 1`,
        /requires a second factor/,
        sql.fragment`UPDATE roles SET requires_mfa = true WHERE name = ${role} RETURNING 1`,
      ],
      [
        sql.fragment`INSERT INTO roles (name) VALUES ('forged') RETURNING 1`,
        /^The role forged was made by no event\.$/,
        sql.fragment`DELETE FROM roles WHERE name = 'forged' RETURNING 1`,
      ],
      [
        sql.fragment`DELETE FROM operators WHERE name = 'olga' RETURNING 1`,
        /^The operator olga is gone, and no event says so\.$/,
        sql.fragment`INSERT INTO operators (name, encrypted) VALUES ('olga', ${sql.binary(encrypted)}) RETURNING 1`,
      ],
      [
        sql.fragment`INSERT INTO operators (name, encrypted) VALUES ('eve', ${sql.binary(encrypted)}) RETURNING 1`,
        /^The row of the operator eve was not written by this fleet\.$/,
        sql.fragment`DELETE FROM operators WHERE name = 'eve' RETURNING 1`,
      ],
      [
        // Removed, and brought back as it once stood.
        sql.fragment`INSERT INTO operators (name, encrypted) VALUES ('otto', ${sql.binary(
          encryptOperator(harness.dataKeys().cipher("operator"), { name: "otto", permissions: ["a.one"], keys: [] }),
        )}) RETURNING 1`,
        /^The operator otto was enrolled by no event, or is removed\.$/,
        sql.fragment`DELETE FROM operators WHERE name = 'otto' RETURNING 1`,
      ],
    ];
    for (const [write, sentence, undo] of tampers) {
      await run(write);
      expect(await differences()).toEqual([expect.stringMatching(sentence)]);
      expect(await differences(false)).toEqual([]); // not where the audit's beginning is gone
      await run(undo);
      expect(await differences()).toEqual([]);
    }
  });
});
