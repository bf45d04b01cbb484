// docs/security.md lists requirements of standards with the tests that show them: those tests must be there. What is marked as expected, up to
// the end of its sentence, is of parts that are being built.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { commandSchemas } from "../src/generated/schemas.ts";
import { variables } from "../src/variables.ts";

const isPassword = (field: string): boolean => /password/i.test(field);

const root = join(import.meta.dirname, "..");

interface Row {
  requirement: string;
  shown: string;
}

function rowsOf(page: string): Row[] {
  const section = page.split("\n## Standards\n")[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| requirement"))
    .map((line) => {
      const [, requirement = "", shown = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
      return { requirement, shown };
    });
}

const testsIn = (text: string): string[] => [...text.matchAll(/`(test\/[a-z0-9/-]+)`/g)].map((match) => match[1]!);
const present = (shown: string): string => shown.replace(/\bexpected [^;:.|]*/g, "");
const missing = ({ requirement, shown }: Row): string[] =>
  testsIn(present(shown))
    .filter((name) => !existsSync(join(root, `${name}.test.ts`)))
    .map((name) => `${requirement}: ${name}`);

const rows = rowsOf(readFileSync(join(root, "docs", "security.md"), "utf8"));

test("every test that the table of standards names exists", () => {
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.flatMap(missing)).toEqual([]);
});

test("every requirement has a test, or a reason", () => {
  expect(rows.filter(({ shown }) => shown.length < 10)).toEqual([]);
});

test("no command of an administrator takes a password", () => {
  const secrets = (topics: string[]): string[] =>
    topics.flatMap((topic) => {
      const { request } = commandSchemas[topic as keyof typeof commandSchemas];
      return "sealedFields" in request ? [...request.sealedFields] : [];
    });
  const topics = Object.keys(commandSchemas);
  expect(secrets(topics.filter((topic) => topic.startsWith("auth.admin."))).filter(isPassword)).toEqual([]);
  expect(secrets(topics).filter(isPassword)).toContain("newPassword");
});

test("a new hash costs by default what OWASP asks for: Argon2id with 19 MiB and 2 passes", () => {
  const { AUTH_ARGON2_MEMORY, AUTH_ARGON2_TIME, AUTH_ARGON2_PARALLELISM } = variables;
  const defaults = [AUTH_ARGON2_MEMORY, AUTH_ARGON2_TIME, AUTH_ARGON2_PARALLELISM].map((each) => Number(each.default));
  expect(defaults).toEqual([19_456, 2, 1]);
});

test("the guard sees a test that is not there, and lets one be expected", () => {
  const page =
    "\n## Standards\n| requirement | shown |\n| a | `test/nowhere` |\n| b | expected `test/nowhere`; `test/standards` |\n";
  expect(rowsOf(page).flatMap(missing)).toEqual(["a: test/nowhere"]);
});
