// The import of files of JSON lines. Its tests run in import.test.ts, on the fleet that starts there once for all.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { oldUsers, password } from "../../support/old-service.ts";
import { refusalOf } from "../../support/users.ts";
import { count, hash, importing, rows, run, site, userWith, write } from "./imports.ts";

export function importsJsonLines(): void {
  describe("from JSON lines", () => {
    test("every field counts, what is left out has its default, and who has no id gets one", async () => {
      const file = write("fields.jsonl", [
        `\ufeff${JSON.stringify(userWith("lines1"))}`,
        "",
        {
          ...userWith("lines2"),
          id: 80_002,
          username: "Two of them",
          roles: ["admin"],
          createdAt: "2019-05-01T10:00:00Z",
        },
        { ...userWith("lines3"), confirmed: false, createdAt: 1_556_704_800_000 },
        { ...userWith("lines4"), banned: true },
        {
          ...userWith("lines5"),
          hash: { algorithm: "bcrypt", hash: oldUsers(rows).find(({ login }) => login === "some-bcrypt")!.hash },
        },
      ]);
      expect(await importing(file)).toMatchObject({
        code: 0,
        imported: 5,
        algorithms: { scrypt: 4, bcrypt: 1 },
        rejects: null,
      });
      expect(existsSync(`${file}.rejects`)).toBe(true);
      const login = (name: string) => site.client.request("auth.session.login", { login: name, password });
      expect((await login("lines1")).tokens?.userId).toBeGreaterThan(rows);
      expect((await login("lines2")).tokens?.userId).toBe(80_002);
      expect(await refusalOf(login("lines3"))).toBe("NOT_CONFIRMED");
      expect(await refusalOf(login("lines4"))).toBe("BANNED");
      expect((await login("lines5")).tokens).not.toBeNull();
      const { rows: found } = await site.sql.query(
        "SELECT username, created_at FROM users WHERE login IN ('lines2', 'lines3') ORDER BY login",
      );
      const time = new Date("2019-05-01T10:00:00Z");
      expect(found).toEqual([
        { username: "Two of them", created_at: time },
        { username: "lines3", created_at: time },
      ]);
      expect(await importing(file)).toMatchObject({ rows: 0, imported: 5 });
      expect(await importing(file, "--again")).toMatchObject({ imported: 0, present: 5 });
    });

    test("what is no user is rejected with its line and why, and the others come in", async () => {
      const file = write("bad.jsonl", [
        "{",
        "[]",
        `{"login":"${"x".repeat(70_000)}"}`,
        { ...userWith("bad4"), isBanned: true },
        { ...userWith("bad5"), id: "5" },
        { ...userWith("bad6"), id: 0 },
        { ...userWith("bad7"), confirmed: "yes" },
        { ...userWith("bad8"), roles: ["emperor"] },
        { ...userWith("bad9"), createdAt: "yesterday" },
        { ...userWith("bad10"), login: "bad\u0000ten" },
        { ...userWith("bad11"), hash: { algorithm: "firebase-scrypt", hash, salt: "x" } },
        { ...userWith("good12"), id: 90_012 },
        { ...userWith("GOOD12"), email: "other@example.net" },
        { ...userWith("good14"), id: 90_012 },
        userWith("good12"),
      ]);
      const said = await importing(file);
      expect(said).toMatchObject({ code: 1, imported: 1, present: 1 });
      const lines = readFileSync(`${file}.rejects`, "utf8").trim().split("\n");
      expect(
        lines
          .map((line) => JSON.parse(line) as { row: number; reason: string })
          .map(({ row, reason }) => `${row} ${reason}`),
      ).toEqual([
        ...[
          "1 row-invalid",
          "2 row-invalid",
          "3 row-invalid",
          "4 row-invalid",
          "5 id-invalid",
          "6 id-invalid",
          "7 row-invalid",
        ],
        ...["8 role-unknown", "9 row-invalid", "10 login-invalid", "11 hash-unknown", "13 login-taken", "14 id-taken"],
      ]);
      expect(lines.join("")).not.toContain("scrypt$");
    });

    test("a login that a registration keeps taken (AUTH_HIDE_EMAIL) comes in once it is free", async () => {
      const file = write("kept.jsonl", [userWith("kept1")]);
      await site.sql.query(
        "INSERT INTO users (id, login, login_key, username, email, email_key, decoy) VALUES (nextval('user_ids'), 'Kept1', 'kept1', 'x', '', '', true)",
      );
      expect(await importing(file)).toMatchObject({ code: 1, imported: 0, rejected: { "login-taken": 1 } });
      expect(readFileSync(`${file}.rejects`, "utf8")).toContain("kept taken for some days by a registration");
      await site.sql.query("DELETE FROM users WHERE login_key = 'kept1'");
      expect(await importing(file, "--again")).toMatchObject({ code: 0, imported: 1 });
    });

    test("--events publishes UserRegistered for each, and without it nothing is", async () => {
      const before = await count("outbox");
      await importing(write("silent.jsonl", [userWith("silent1")]));
      expect(await count("outbox")).toBe(before);
      await importing(write("told.jsonl", [userWith("told1"), userWith("told2")]), "--events", "--as", "mover");
      const { rows: events } = await site.sql.query(
        "SELECT o.kind, o.sequence::int, o.actor, o.body->>'login' AS login, o.user_id = u.id AND o.key = u.id::text AND u.sequence = 1 AS fits FROM outbox o JOIN users u ON u.id = o.user_id WHERE u.login LIKE 'told_' ORDER BY login",
      );
      expect(events).toEqual(
        ["told1", "told2"].map((login) => ({
          kind: "UserRegistered",
          sequence: 1,
          actor: "operator:mover",
          login,
          fits: true,
        })),
      );
    });

    test("another export under the same name is another import", async () => {
      const file = write("export.jsonl", [userWith("export1"), userWith("export2")]);
      expect(await importing(file)).toMatchObject({ imported: 2 });
      write("export.jsonl", [userWith("export0"), userWith("export1"), userWith("export2")]);
      expect(await importing(file)).toMatchObject({ rows: 3, imported: 1, present: 2 });
    });

    test("a file of rejects never takes the place of something else", async () => {
      const file = write("mine.jsonl", [userWith("mine1")]);
      const { code, stderr } = await run(file, "--rejects", file);
      expect(code).toBe(2);
      expect(stderr).toContain(`${file} is no file of rejects`);
      expect(readFileSync(file, "utf8")).toContain("mine1");
    });
  });
}
