// docs/security.md lists requirements of standards with the tests that show them, each by its file and its name as `npm test -- FILE -t NAME`
// takes it: those tests must be there, and each file must be named with one at least. Here are also the few requirements that a table or a
// default shows better than a request would.
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

interface Named {
  file: string;
  tests: string[];
}

/** What stands in quotes behind a file, up to the next one, is a test of it. */
function testsIn(shown: string): Named[] {
  const [, ...parts] = shown.split(/`(test\/[a-z0-9/-]+)`/);
  const at = (index: number): string => parts[index] ?? "";
  return Array.from({ length: parts.length / 2 }, (_, index) => ({
    file: at(2 * index),
    tests: [...at(2 * index + 1).matchAll(/"([^"]+)"/g)].map((match) => match[1]!),
  }));
}

/** The full names of a file's tests: the titles of what surrounds one, and its own, as Jest joins them. A table's title stands as it is written. */
function namesIn(source: string): Set<string> {
  const titles = /^( *)(?:(?:test|it|describe)(?:\.each\b.*?)?|\]\)|\))\(\s*"((?:[^"\\]|\\.)*)",/gm;
  const names = new Set<string>();
  const around: { indent: number; title: string }[] = [];
  for (const [, { length: indent } = "", title = ""] of source.matchAll(titles)) {
    while ((around.at(-1)?.indent ?? -1) >= indent) around.pop();
    around.push({ indent, title });
    names.add(around.map((each) => each.title).join(" "));
  }
  return names;
}

function missing({ requirement, shown }: Row): string[] {
  return testsIn(shown).flatMap(({ file, tests }) => {
    const path = join(root, `${file}.test.ts`);
    if (!existsSync(path)) return [`${requirement}: ${file}`];
    if (tests.length === 0) return [`${requirement}: which test of ${file}?`];
    const names = namesIn(readFileSync(path, "utf8"));
    return tests.filter((name) => !names.has(name)).map((name) => `${requirement}: ${file} "${name}"`);
  });
}

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
      return "sealedFields" in request ? request.sealedFields.map(({ name }) => name) : [];
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

test("a password has 8 characters at least and may be asked to have 15; what proves who somebody is lives 10 minutes at most", () => {
  const { AUTH_PASSWORD_MIN, AUTH_RESET_TTL, AUTH_CHALLENGE_TTL } = variables;
  expect(AUTH_PASSWORD_MIN.parse(String(AUTH_PASSWORD_MIN.default))).toBe(8);
  expect(AUTH_PASSWORD_MIN.parse("15")).toBe(15);
  for (const { parse, default: text } of [AUTH_RESET_TTL, AUTH_CHALLENGE_TTL])
    expect(parse(String(text))).toBeLessThanOrEqual(600_000);
});

test("files that compare secrets do it in constant time", () => {
  const comparing = ["opaque", "passwords", "foreign-hashes", "totp"].map((name) => `src/crypto/${name}.ts`);
  const careless = comparing.filter((file) => !/\btimingSafeEqual\(/.test(readFileSync(join(root, file), "utf8")));
  expect(careless).toEqual([]);
});

test("the guard sees a file and a test that are not there, and a file without a test", () => {
  const own = `"every requirement has a test, or a reason"`;
  const cells = [
    "`test/nowhere`",
    `\`test/standards\` ${own}`,
    `\`test/standards\` ${own}, "no such test"`,
    "`test/standards`",
  ];
  const page = `\n## Standards\n| requirement | shown |\n${cells.map((cell, at) => `| ${at} | ${cell} |`).join("\n")}\n`;
  expect(rowsOf(page).flatMap(missing)).toEqual([
    "0: test/nowhere",
    `2: test/standards "no such test"`,
    "3: which test of test/standards?",
  ]);
  const nested = `describe("a", () => {\n  test("b", () => {});\n  test.each([\n    1,\n  ])("c %s", () => {});\n});\ntest.skip("d", () => {});\n`;
  expect([...namesIn(nested)]).toEqual(["a", "a b", "a c %s"]);
});
