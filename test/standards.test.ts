// docs/standards.md lists requirements and docs/security.md attackers, with the tests that show each statement, by file
// and by name as `npm test -- FILE -t NAME` takes it: those tests must exist, and each file must be named with one at
// least. Here are also the few requirements that a table or a default shows better than a request would.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { variables } from "../src/config/variables.ts";
import { commandSchemas } from "../src/protocol/generated/schemas.ts";

const isPassword = (field: string): boolean => /password/i.test(field);

const root = join(import.meta.dirname, "..");

interface Row {
  /** What is stated: the first cell. */
  statement: string;
  /** The cells between. */
  verdict: string[];
  /** The tests that show it, or why there is none: the last cell. */
  shown: string;
}

/** Rows of the tables in a text whose last column says what shows a statement. */
function rowsOf(text: string): Row[] {
  const tables = text.split(/\n(?!\|)/).filter((part) => /^\|[^\n]*\| shown by[^|\n]* \|\n\|(?:---\|)+\n/m.test(part));
  return tables.flatMap((table) => {
    const [, , ...rows] = table.split("\n").filter((line) => line.startsWith("| ") || line.startsWith("|-"));
    return rows.map((line) => {
      const [statement = "", ...others] = line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { statement, verdict: others.slice(0, -1), shown: others.at(-1) ?? "" };
    });
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

/**
 * The full names of a file's tests: the titles of what surrounds one, and its own, as Jest joins them. A table's title
 * stands as it is written.
 */
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

function missing({ statement, shown }: Row): string[] {
  return testsIn(shown).flatMap(({ file, tests }) => {
    const path = join(root, `${file}.test.ts`);
    if (!existsSync(path)) return [`${statement}: ${file}`];
    if (tests.length === 0) return [`${statement}: which test of ${file}?`];
    const names = namesIn(readFileSync(path, "utf8"));
    return tests.filter((name) => !names.has(name)).map((name) => `${statement}: ${file} "${name}"`);
  });
}

const page = (name: string): string => readFileSync(join(root, "docs", name), "utf8");
const pages = ["security.md", "standards.md"] as const;
const rows = Object.fromEntries(pages.map((name) => [name, rowsOf(page(name))])) as Record<
  (typeof pages)[number],
  Row[]
>;

test.each(pages)("every test that %s names exists", (name) => {
  expect(rows[name].length).toBeGreaterThan(50);
  expect(rows[name].flatMap(missing)).toEqual([]);
});

test("every requirement says whether it is met, and by which test, or why not", () => {
  expect(rows["standards.md"].filter(({ shown }) => shown.length < 10)).toEqual([]);
  const verdicts = new Set(rows["standards.md"].flatMap(({ verdict }) => verdict));
  expect([...verdicts].toSorted()).toEqual(["no", "partly", "yes"]);
});

/** By the titles of docs/security.md. */
const attackers = [
  "End user",
  "Gateway",
  "Service",
  "Broker reader",
  "Broker writer",
  "Registry writer",
  "Database reader",
  "Database writer",
  "Operator",
];

test("every attacker has a table of what they cannot do and one of what they can, each row with a test or the reason for none", () => {
  const [, section = ""] = /\n## Attackers\n(.*?)\n## /s.exec(page("security.md")) ?? [];
  const parts = section.split("\n### ").slice(1);
  expect(parts.map((part) => part.split("\n", 1)[0])).toEqual(attackers);
  for (const part of parts) {
    const heads = [...part.matchAll(/^\| (.*) \| shown by \|$/gm)].map(([, head]) => head!.split(" ").at(-1));
    expect(heads).toEqual(["cannot", "can"]);
    const bare = rowsOf(part).filter(({ shown }) => testsIn(shown).length === 0 && !shown.startsWith("no test"));
    expect(bare).toEqual([]);
  }
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
  const own = `"files that compare secrets do it in constant time"`;
  const cells = [
    "`test/nowhere`",
    `\`test/standards\` ${own}`,
    `\`test/standards\` ${own}, "no such test"`,
    "`test/standards`",
  ];
  const table = `| requirement | met | shown by |\n|---|---|---|\n${cells.map((cell, at) => `| ${at} | yes | ${cell} |`).join("\n")}`;
  const text = `words\n\n| other | table |\n|---|---|\n| \`test/nowhere\` | |\n\n${table}\n`;
  expect(rowsOf(text)).toHaveLength(cells.length);
  expect(rowsOf(text).flatMap(missing)).toEqual([
    "0: test/nowhere",
    `2: test/standards "no such test"`,
    "3: which test of test/standards?",
  ]);
  const nested = `describe("a", () => {\n  test("b", () => {});\n  test.each([\n    1,\n  ])("c %s", () => {});\n});\ntest.skip("d", () => {});\n`;
  expect([...namesIn(nested)]).toEqual(["a", "a b", "a c %s"]);
});
