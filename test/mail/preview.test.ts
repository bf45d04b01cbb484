// `node tools/preview-mails.ts OUT [TEMPLATES]`: every mail as files to be looked at, or what is wrong with templates.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { mailKinds } from "../../src/protocol/mail-kinds.ts";
import { run } from "../support/package.ts";
import { ownFolder } from "../support/stack.ts";

const root = join(import.meta.dirname, "..", "..");
const preview = (...words: string[]) => run(root, [process.execPath, "tools/preview-mails.ts", ...words]);

test("writes text and HTML of every mail in every language, by the operator's templates where there are any", async () => {
  const folder = ownFolder("preview");
  mkdirSync(join(folder, "templates", "en"), { recursive: true });
  writeFileSync(join(folder, "templates", "en", "footer.txt"), "Bye from {{product}}\n");
  const { code, stdout } = await preview(join(folder, "out"), join(folder, "templates"));
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `${mailKinds.length * 2} mails are in ${join(folder, "out")}.\n`,
  });
  expect(readdirSync(join(folder, "out"))).toHaveLength(mailKinds.length * 4);
  const shown = readFileSync(join(folder, "out", "en-reset.txt"), "utf8");
  expect(shown).toMatch(/^Subject: Choose a new password for Example Product\n\nHello Ada Lovelace,\n/);
  expect(shown).toContain("Bye from Example Product");
  expect(readFileSync(join(folder, "out", "ru-reset.html"), "utf8")).toContain('<html lang="ru">');
});

test("says how it is called, and what is wrong with templates", async () => {
  expect(await preview()).toMatchObject({ code: 2, stderr: "Usage: node tools/preview-mails.ts OUT [TEMPLATES]\n" });
  const { code, stderr } = await preview(join(ownFolder("preview"), "none"), "/no/such/directory");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^The mail templates have a fault:\n {2}\/no\/such\/directory: cannot be read: ENOENT/);
});
