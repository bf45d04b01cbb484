// What is wrong with a checkout that cannot be released: each fault is told, and a checkout without faults has none.
import { expect, test } from "@jest/globals";
import type { Checkout, GitState } from "../../tools/release/checkout.ts";
import { faultsOf } from "../../tools/release/checks.ts";
import type { Current } from "../../tools/release/released.ts";

const current: Current = {
  version: "1.2.0",
  subjects: [{ subject: "a", schema: { name: "A" } }],
  proto: { numbers: { "a.v1.M": { 1: "login string" } }, isReserved: () => false },
};
const released = { version: "1.2.0", schemas: { a: [{ name: "A" }] }, proto: current.proto.numbers };
const commit = "c".repeat(40);

const files: Record<string, string> = {
  "CHANGELOG.md":
    "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-12-01\n\n- A thing.\n\n## 1.1.0 - 2026-11-01\n\n- Old.\n",
  "docs/upgrading.md": "# Upgrading\n\n## 1.2.0\n\nNothing to do.\n",
  "docs/asyncapi.yaml": "info:\n  version: 1.2.0\n",
  "clients/typescript/package.json": '{ "version": "1.2.0" }',
  "package-lock.json": '{ "version": "1.2.0", "packages": { "": { "version": "1.2.0" } } }',
  "schemas/released.json": `${JSON.stringify(released, null, 1)}\n`,
};

interface Difference {
  git?: Partial<GitState>;
  files?: Record<string, string>;
  current?: Partial<Current>;
}

function faults(difference: Difference): string[] {
  const git = { commit, committedAt: 1, changes: [], releaseCommit: commit, tags: new Map<string, string>() };
  const changed = { ...files, ...difference.files };
  const checkout: Checkout = { git: { ...git, ...difference.git }, read: (path) => changed[path] };
  return faultsOf(checkout, { ...current, ...difference.current });
}

const changelog = (text: string): Difference => ({ files: { "CHANGELOG.md": text } });
const undated = 'CHANGELOG.md has no section "## 1.2.0 - YYYY-MM-DD" with the date of the release.';

test("a checkout that is ready has no fault, with its tag as without", () => {
  expect(faults({})).toEqual([]);
  expect(faults({ git: { tags: new Map([["v1.2.0", commit]]) } })).toEqual([]);
});

test.each<[string, Difference, string]>([
  [
    "changes",
    { git: { changes: [" M a.ts", "?? b.ts"] } },
    "The tree has changes that are not committed: M a.ts, ?? b.ts.",
  ],
  [
    "many changes",
    { git: { changes: Array.from("1234567", (each) => `?? ${each}`) } },
    "The tree has changes that are not committed: ?? 1, ?? 2, ?? 3, ?? 4, ?? 5 and 2 more.",
  ],
  [
    "the tag on another commit",
    { git: { tags: new Map([["v1.2.0", "d".repeat(40)]]) } },
    "The tag v1.2.0 names dddddddddddd, and this is cccccccccccc.",
  ],
  ["no section in the changelog", changelog("## Unreleased\n\n## 1.1.0 - 2026-11-01\n\n- Old.\n"), undated],
  ["a section without a date", changelog("## 1.2.0\n\n- A thing.\n"), undated],
  ["a section with a date that is none", changelog("## 1.2.0 - 2026-13-41\n\n- A thing.\n"), undated],
  [
    "an empty section",
    changelog("## 1.2.0 - 2026-12-01\n\n## 1.1.0 - 2026-11-01\n\n- Old.\n"),
    'CHANGELOG.md says nothing under "## 1.2.0 - 2026-12-01".',
  ],
  [
    "entries that are unreleased",
    changelog(files["CHANGELOG.md"]!.replace("## Unreleased\n", "## Unreleased\n\n- Another thing.\n")),
    'CHANGELOG.md has entries under "## Unreleased": they belong to 1.2.0, or to a later version.',
  ],
  [
    "no section on upgrading",
    { files: { "docs/upgrading.md": "## 1.1.0\n" } },
    'docs/upgrading.md has no section "## 1.2.0".',
  ],
  [
    "another version in the lock file",
    { files: { "package-lock.json": '{ "version": "1.1.0", "packages": { "": { "version": "1.2.0" } } }' } },
    "package.json has version 1.2.0, and package-lock.json has 1.1.0.",
  ],
  [
    "none in the lock file's own entry",
    { files: { "package-lock.json": '{ "version": "1.2.0", "packages": {} }' } },
    'package.json has version 1.2.0, and package-lock.json, packages[""] has none.',
  ],
  [
    "another version of the client",
    { files: { "clients/typescript/package.json": '{ "version": "1.1.9" }' } },
    "package.json has version 1.2.0, and clients/typescript/package.json has 1.1.9.",
  ],
  [
    "another version in AsyncAPI",
    { files: { "docs/asyncapi.yaml": "info: { version: 1.3.0 }" } },
    "package.json has version 1.2.0, and docs/asyncapi.yaml, info.version has 1.3.0.",
  ],
  [
    "a schema that is not in released.json",
    { current: { subjects: [...current.subjects, { subject: "b", schema: {} }] } },
    "schemas/released.json is not of 1.2.0: run `npm run release-schemas` and commit it.",
  ],
  [
    "released.json of another version",
    { files: { "schemas/released.json": JSON.stringify({ ...released, version: "1.1.0" }) } },
    "schemas/released.json is not of 1.2.0: run `npm run release-schemas` and commit it.",
  ],
  [
    "a released number that means something else",
    { current: { proto: { numbers: { "a.v1.M": { 1: "user string" } }, isReserved: () => false } } },
    'proto: a.v1.M 1 was released as "login string" and is "user string" now.',
  ],
  [
    "another commit than the one that released the version",
    { git: { releaseCommit: "d".repeat(40) } },
    "1.2.0 was released by commit dddddddddddd, which last changed schemas/released.json, and this is cccccccccccc: " +
      "check that commit out to make it again, or raise the version.",
  ],
])("is told of %s", (_what, difference, fault) => {
  expect(faults(difference)).toEqual([fault]);
});

test("is told of a version that is none, and of all faults at once", () => {
  const all = faults({ current: { version: "1.3.0-rc.1" }, git: { changes: ["?? a"] } });
  expect(all).toContain("package.json: the version 1.3.0-rc.1 is not of the form 1.2.3.");
  expect(all.length).toBeGreaterThan(6);
});

test("a patch needs no section on upgrading", () => {
  const replaced = Object.entries(files).map(([path, text]) => [path, text.replaceAll("1.2.0", "1.2.1")] as const);
  const patch = { ...Object.fromEntries(replaced), "docs/upgrading.md": "## 1.2.0\n" };
  expect(faults({ files: patch, current: { version: "1.2.1" } })).toEqual([]);
});
