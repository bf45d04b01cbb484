// What documents for operators and callers name is there: every file they point to is in the image, and every process
// they name can be started.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { helpText } from "../src/config/help.ts";

const root = join(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** For users who have no checkout. The others (scaling, security, standards) name tests and sources as evidence. */
const pages = [
  "accounts",
  "administration",
  "authctl",
  "audit",
  "configuration",
  "guessing",
  "keys",
  "operations",
  "personal-data",
  "protocol",
].map((page) => `docs/${page}.md`);

/** What the last runner of the Dockerfile copies from the checkout. */
const inImage = [
  ...read("Dockerfile")
    .split(/^FROM /m)
    .at(-1)!
    .matchAll(/^COPY (?!--from)(.+) \S+$/gm),
].flatMap(([, from]) => from!.split(" "));

const folders = "bench|bin|deploy|dist|docs|lists|migrations|proto|schemas|src|stack|test|tools";

/** Paths of the repository in a text; not those of a URL. */
function named(text: string): string[] {
  return [...text.matchAll(new RegExp(`(?<!(?<!\\.)/)\\b(?:${folders})/[\\w./-]*\\w`, "g"))].map(([path]) => path);
}

/**
 * Files that a text names and the image lacks. What `npm test` and `npm run` are given is of a checkout; other such
 * files are said to be in the repository.
 */
function lacking(text: string): string[] {
  const ofCheckouts = /npm (?:test|run) [^`\n]*|in the\s+repository,?\s+`[^`]+`/g;
  return named(text.replace(ofCheckouts, "")).filter((path) => !inImage.includes(path.split("/")[0]!));
}

describe("documents for users without a checkout", () => {
  test.each(pages)("%s names no file that the image lacks", (page) => {
    expect(inImage).toEqual(expect.arrayContaining(["docs", "migrations", "proto", "schemas"]));
    expect(lacking(read(page))).toEqual([]);
  });

  test("the check sees one", () => {
    expect(lacking("see `src/main.ts` and schemas/event/, or npm test -- test/crash")).toEqual(["src/main.ts"]);
    expect(lacking("it is in the repository, `test/a.py`; see test/b.py")).toEqual(["test/b.py"]);
  });

  test.each(pages)("%s names files that exist", (page) => {
    const isThere = (path: string): boolean => ["", ".test.ts"].some((ending) => existsSync(join(root, path + ending)));
    expect(named(read(page)).filter((path) => !isThere(path))).toEqual([]);
  });
});

/**
 * The anchors of a page: its headings as they are made into links, in small letters, without signs, with dashes for
 * blanks.
 */
function anchorsOf(text: string): string[] {
  const headings = [...text.replace(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/**
 * Links within the repository that lead nowhere: to a file that is not there, or to a heading that its page has not.
 */
function deadLinks(file: string, text: string): string[] {
  const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)];
  const dead = links.filter(([, path, anchor]) => {
    const target = path === "" ? file : join(dirname(file), path!);
    if (path !== "" && !existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(path === "" ? text : read(target)).includes(anchor);
  });
  return dead.map(([link]) => link);
}

describe("links", () => {
  const documents = [".", "docs"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name)),
  );

  test.each(documents)("of %s lead somewhere", (document) => {
    expect(documents).toEqual(expect.arrayContaining(["README.md", "SECURITY.md", "docs/security.md"]));
    expect(deadLinks(document, read(document))).toEqual([]);
  });

  test("the check sees one that does not", () => {
    const text =
      "# Here it is\n[a](#here-it-is) [b](#there) [c](nowhere.md) [d](security.md#attackers) [e](security.md#nobody)";
    expect(deadLinks("docs/page.md", text)).toEqual(["](#there)", "](nowhere.md)", "](security.md#nobody)"]);
  });
});

describe("processes", () => {
  const processes = [...helpText().matchAll(/^ {2}(\w+) {2,}/gm)].map(([, name]) => name!);

  test("are named in bin/authfleet.js as the help has them", () => {
    const [, named = ""] = /starts one process of the service \(([^)]+)\)/.exec(read("bin/authfleet.js")) ?? [];
    expect(processes).toEqual(expect.arrayContaining(["worker", "dev", "help"]));
    expect(named.split(", ").filter((name) => !processes.includes(name))).toEqual([]);
    expect(named).toContain("bridge");
  });

  test("are what is started, and compose runs no other", () => {
    const source = ["src/main.ts", "src/processes/serve.ts", "src/config/command-line.ts"].map(read).join("\n");
    for (const name of processes) expect(source).toMatch(new RegExp(`"${name}"|\\b${name}:`));
    const commands = [...read("docker-compose.yml").matchAll(/^ {4}command: \[(\w+)\]$/gm)].map(([, name]) => name!);
    expect(commands.filter((name) => !processes.includes(name))).toEqual([]);
    expect(commands.length).toBeGreaterThan(3);
  });
});

/**
 * Every command of README's shell blocks, with the test that runs it. A block that no test runs is not to be in there.
 */
const ranBy: Record<string, string> = {
  "npm start": "test/stack.test.ts",
  "docker compose up -d --build --wait --scale worker=4": "test/peers/compose.test.ts",
  "npx authctl demo": "test/authctl/demo/journey.test.ts",
  "npx authctl top": "test/authctl/fleet/top.test.ts",
};

describe("README", () => {
  const commandsOf = (text: string): string[] =>
    [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => block!.trim().split("\n"));

  test("has no command that no test runs", () => {
    expect(commandsOf(read("README.md")).sort()).toEqual(Object.keys(ranBy).sort());
    for (const [command, file] of Object.entries(ranBy)) {
      const last = command
        .split(" ")
        .filter((word) => /^[a-z]+$/.test(word))
        .at(-1)!;
      expect(read(file)).toContain(last);
    }
  });

  test("the check sees a command", () => {
    expect(commandsOf("text\n```sh\nmake it\nso\n```\n")).toEqual(["make it", "so"]);
  });
});

/** Lines of running text over 120 columns. A code block, a table and a line that is one piece of code stay whole. */
function wideLines(page: string): string[] {
  const prose = page.replace(/^ *```[\s\S]*?^ *```$/gm, "").split("\n");
  return prose.filter((line) => line.length > 120 && !/^ *(?:\||\(?`[^`]+`\)?$)/.test(line));
}

describe("every document", () => {
  const folders = [".", "docs", "clients/typescript", "examples/echo"];
  const documents = folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith(".md"))
      .map((file) => join(folder, file)),
  );

  test.each(documents)("%s has no text over 120 columns", (document) => {
    expect(wideLines(read(document))).toEqual([]);
  });

  test("the check sees one", () => {
    const wide = "word ".repeat(25);
    expect(wideLines(`short\n${wide}\n| ${wide}|\n\`\`\`sh\n${wide}\n\`\`\`\n\`${wide}\``)).toEqual([wide]);
  });
});
