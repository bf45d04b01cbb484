// The rules of the code that a glance at the files can judge: each with the places that break it. test/architecture.test.ts
// asks for none, and shows that each rule sees a place that breaks it.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

export interface Source {
  /** From the project's root. */
  path: string;
  text: string;
}

/** Finds the places that break one rule, `path:line text` or `path` each. */
export type Rule = (sources: readonly Source[]) => string[];

const below =
  (...directories: string[]) =>
  (rule: Rule): Rule =>
  (sources) =>
    rule(sources.filter(({ path }) => directories.some((directory) => path.startsWith(`${directory}/`))));
const inSrc = below("src");

/** @param breaks whether a line breaks the rule */
const byLine =
  (breaks: (line: string) => boolean): Rule =>
  (sources) =>
    sources.flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, index) => (breaks(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
    );

const looseFiles: Rule = (sources) =>
  sources.filter(({ path }) => path.split("/").length === 2 && path !== "src/main.ts").map(({ path }) => path);

const longFiles: Rule = (sources) =>
  sources
    .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > 400)
    .map(({ path, lines }) => `${path} ${lines}`);

const isComment = /^\s*(\/\/|\*|\/\*)/;
const wideComments = byLine((line) => line.length > 120 && isComment.test(line));

/** A user is "the user", "they". */
const masculine = byLine((line) => /\b(he|his|him|himself)\b/i.test(line));

const typesDeclaredTwice: Rule = (sources) => {
  const places = new Map<string, string[]>();
  for (const { path, text } of sources)
    for (const [, name] of text.matchAll(/^export (?:interface|type|class) (\w+)/gm))
      places.set(name!, [...(places.get(name!) ?? []), path]);
  return [...places].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(", ")}`);
};

/** The product's word. Kafka and node:crypto speak of authorization, authentication and auth tags. */
const authBelow =
  (directory: string): Rule =>
  (sources) =>
    byLine((line) => /auth(?!ori[sz]|entic|tag)/i.test(line))(sources.filter(({ path }) => path.startsWith(directory)));

export const rules = {
  "loose files in src": inSrc(looseFiles),
  "files over 400 lines": below("src", "test", "stack", "bin", "bench", "tools")(longFiles),
  "comments over 120 columns": wideComments,
  "he, his, him": masculine,
  "exported types declared twice": inSrc(typesDeclaredTwice),
  "auth in src/kafka": authBelow("src/kafka/"),
  "auth in src/bus": authBelow("src/bus/"),
} as const satisfies Record<string, Rule>;

/** The hand-written code that is under version control. */
export function projectSources(): Source[] {
  const own = [/^test\/support\/code-rules\.ts$/, /^test\/architecture\.test\.ts$/, /\/generated\//];
  return execFileSync("git", ["ls-files", "src", "test", "bench", "tools", "stack", "bin"], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => /\.(ts|js)$/.test(path) && !own.some((pattern) => pattern.test(path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}
