// authctl users export against the real fleet: the document on standard output or in a file, and the errors.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { auditOf } from "../../support/audited.ts";
import { enrol } from "../../support/operator.ts";
import { type TestFleet, testFleet } from "../../support/test-fleet.ts";
import { type Confirmed, confirmed, newUser, withTooMuch } from "../../support/users.ts";
import { authctl, called } from "../authctl.ts";

let fleet: TestFleet;
let folder: string;
beforeAll(async () => {
  fleet = await testFleet();
  folder = mkdtempSync(join(tmpdir(), "export-"));
}, 60_000);
afterAll(async () => {
  await fleet.close();
  rmSync(folder, { recursive: true });
});

describe("users export", () => {
  const copyOf = (text: string) => JSON.parse(text) as { account: object; sessions: object[] };
  const later = ({ id }: Confirmed) => fleet.sql.query("UPDATE users SET exported_at = NULL WHERE id = $1", [id]);

  test("prints the document, the same with --json, and says in the event who and why", async () => {
    const user = await confirmed(fleet);
    await enrol(fleet, "ophelia");
    const words = ["users", "export", user.login, "--reason", "a letter", "--as", "ophelia"];
    const printed = await authctl(words, fleet.env);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    expect(copyOf(printed.stdout).account).toMatchObject({ id: user.id, email: user.email });
    const row = (await auditOf(fleet, user.id)).at(-1);
    expect(row).toMatchObject({ event: "DataExported", actor: "operator:ophelia", personal: { reason: "a letter" } });
    const soon = await called(words, fleet.env);
    expect(soon).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/THROTTLED.*\n.*Ask again in \d+ ms/),
    });
    await later(user);
    const json = await called([...words.with(2, `id:${user.id}`), "--json"], fleet.env);
    expect(copyOf(json.stdout).account).toEqual(copyOf(printed.stdout).account);
  });

  test("writes it into a new file that its owner alone may read; where there is one, or no copy, nothing is done", async () => {
    const [output, other] = [join(folder, "copy.json"), join(folder, "other.json")];
    const user = await confirmed(fleet);
    const exported = (login: string, file: string) =>
      called(["users", "export", login, "--reason", "a letter", "--output", file], fleet.env);
    const unknown = await exported(newUser().login, output);
    expect(unknown).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^Refused with NOT_FOUND/) });
    expect(readdirSync(folder)).toEqual([]);
    const nowhere = await exported(user.login, join(folder, "no", "copy.json"));
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringMatching(/^The copy cannot be written: ENOENT/) });
    writeFileSync(other, "mine");
    const there = await exported(user.login, other);
    expect(there).toMatchObject({ code: 2, stderr: expect.stringContaining(`${other} is there already`) });
    expect(readFileSync(other, "utf8")).toBe("mine");

    const kept = await exported(user.login, output); // not too soon: none of these has taken a copy
    const said = `Everything that is held about ${user.login} (${user.id}) is in ${output}.\n`;
    expect(kept).toEqual({ code: 0, stdout: said, stderr: "" });
    expect(statSync(output).mode & 0o777).toBe(0o600);
    expect(copyOf(readFileSync(output, "utf8")).account).toMatchObject({ id: user.id, login: user.login });
  });

  test("says what is too long for one document", async () => {
    const user = await confirmed(fleet);
    await withTooMuch(fleet, user);
    await auditOf(fleet, user.id); // their history has something
    const { code, stdout, stderr } = await called(
      ["users", "export", user.login, "--reason", "a letter", "--json"],
      fleet.env,
    );
    expect(code).toBe(0);
    const { sessions } = copyOf(stdout) as { sessions: { createdAt: string }[] };
    expect(sessions.length).toBeGreaterThan(100);
    expect(sessions.length).toBeLessThan(1000);
    const said = (what: string): string => `Too long for one document: ${what} is left out.\n`;
    const oldest = sessions.at(-1)!.createdAt;
    expect(stderr).toBe(said(`what of sessions is older than ${oldest}`) + said("all of history"));
  });
});
