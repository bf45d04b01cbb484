// `npm run release` on copies of the tree: what it writes, that two checkouts of one commit give the same bytes, and
// that a refusal writes nothing. test/peers/image.test.ts has the image.
import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { type ReleaseSource, writeServer } from "../../tools/release/files.ts";
import { noDocker } from "../../tools/release/image.ts";
import { ownFolder } from "../support/stack.ts";
import { inRepository, type TreeCopy, treeCopy, usePackages } from "../support/tree-copy.ts";

const committedAt = "2026-12-01T10:20:30.000Z";
const isVersion = /^\d+\.\d+\.\d+$/;
let version: string;
let parent: string;
let tree: TreeCopy;

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

async function node(folder: string, ...args: string[]): Promise<Ran> {
  // No Docker, wherever the tests run.
  const env = { ...process.env, DOCKER_HOST: "unix:///nowhere/docker.sock" };
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, args, { cwd: folder, encoding: "utf8", env })) };
  } catch (error) {
    const { code, stdout, stderr } = error as unknown as Ran;
    return { code, stdout, stderr };
  }
}
const release = (folder: string, ...args: string[]) => node(folder, "tools/release.ts", ...args);
const sourceOf = (root: string): ReleaseSource => {
  const commit = inRepository(root).git("rev-parse", "HEAD").trim();
  return { root, version, commit, committedAt: new Date(committedAt) };
};
const filesIn = (folder: string): string[] => readdirSync(join(folder, "release")).sort();
const bytes = (folder: string, name: string): Buffer => readFileSync(join(folder, "release", name));

beforeAll(() => {
  parent = ownFolder("release");
  tree = treeCopy(join(parent, "tree"));
  ({ version } = JSON.parse(readFileSync(join(tree.folder, "package.json"), "utf8")) as { version: string });
  writeFileSync(join(tree.folder, "schemas", "released.json"), '{ "version": null, "schemas": {}, "proto": {} }');
  writeFileSync(join(tree.folder, "CHANGELOG.md"), "# Changelog\n\n## Unreleased\n\n- A thing.\n");
}, 60_000);

test("says how it is called", async () => {
  const { code, stdout } = await release(tree.folder, "--help");
  expect(code).toBe(0);
  for (const option of ["--check", "--no-image", "--tag"]) expect(stdout).toContain(option);
  expect(await release(tree.folder, "--chekc")).toMatchObject({ code: 1, stderr: expect.stringContaining("--check") });
});

test("a checkout that is not ready is refused, with every fault, and nothing is written", async () => {
  const { code, stderr } = await release(tree.folder);
  expect(code).toBe(1);
  expect(version).toMatch(isVersion);
  expect(stderr).toBe(
    [
      `${version} cannot be released:`,
      "- The tree has changes that are not committed: M CHANGELOG.md, M schemas/released.json.",
      `- CHANGELOG.md has no section "## ${version} - YYYY-MM-DD" with the date of the release.`,
      `- CHANGELOG.md has entries under "## Unreleased": they belong to ${version}, or to a later version.`,
      `- schemas/released.json is not of ${version}: run \`npm run release-schemas\` and commit it.`,
      `- ${noDocker}`,
      "",
    ].join("\n"),
  );
  expect(readdirSync(tree.folder).filter((name) => name.startsWith("release"))).toEqual([]);
});

describe("the commit of a release", () => {
  let other: string;
  beforeAll(async () => {
    tree.commit("Before the release", "2026-12-01T09:00:00.000Z"); // so that the next commit changes released.json
    expect(await node(tree.folder, "tools/release-schemas.ts")).toMatchObject({ code: 0 });
    const sections = `## Unreleased\n\n## ${version} - 2026-12-01\n\n- A thing.\n`;
    writeFileSync(join(tree.folder, "CHANGELOG.md"), `# Changelog\n\n${sections}`);
    tree.commit(`Release ${version}`, committedAt);
    other = join(parent, "other-name");
    tree.git("clone", "--quiet", tree.folder, other);
    usePackages(other);
  }, 60_000);

  test("is found ready by --check, which writes nothing", async () => {
    const { code, stdout } = await release(tree.folder, "--check", "--no-image");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${version} can be released from ${tree.git("rev-parse", "HEAD").trim()}.\n`,
    });
    expect(existsSync(join(tree.folder, "release"))).toBe(false);
  });

  test("is refused where there is no Docker, unless the image is left out", async () => {
    const { code, stderr } = await release(tree.folder);
    expect({ code, stderr }).toEqual({ code: 1, stderr: `${version} cannot be released:\n- ${noDocker}\n` });
    expect(existsSync(join(tree.folder, "release"))).toBe(false);
  });

  test("gives the same bytes from two checkouts, and its tag with --tag", async () => {
    const untagged = await release(tree.folder, "--no-image");
    expect(untagged).toMatchObject({ code: 0, stderr: "" });
    expect(untagged.stdout).toContain(`git tag --annotate v${version}`);
    expect(tree.git("tag")).toBe("");

    const { git } = inRepository(other);
    git("config", "user.name", "test");
    git("config", "user.email", "test@example.com");
    const tagged = await release(other, "--no-image", "--tag");
    expect(tagged).toMatchObject({ code: 0, stderr: "" });
    expect(tagged.stdout).toContain(`git push origin v${version}`);
    expect(git("cat-file", "-t", `v${version}`)).toBe("tag\n");
    expect(git("rev-parse", `v${version}^{commit}`)).toBe(git("rev-parse", "HEAD"));

    const names = filesIn(tree.folder);
    expect(names).toEqual([
      "SHA256SUMS",
      `authfleet-${version}.cdx.json`,
      `authfleet-${version}.tar.gz`,
      `authfleet-client-${version}.cdx.json`,
      `authfleet-client-${version}.tgz`,
    ]);
    expect(filesIn(other)).toEqual(names);
    expect(names.filter((name) => !bytes(tree.folder, name).equals(bytes(other, name)))).toEqual([]);
    // The control: another commit with the same files gives another archive, by its time.
    const archived = async (folder: string) => readFileSync(join(parent, await writeServer(sourceOf(folder), parent)));
    const before = await archived(other);
    expect(before.equals(bytes(other, `authfleet-${version}.tar.gz`))).toBe(true);
    inRepository(other).git("commit", "--quiet", "--amend", "--no-edit"); // at another time
    expect((await archived(other)).equals(before)).toBe(false);
  }, 120_000);

  test("has checksums of all its files", () => {
    const cwd = join(tree.folder, "release");
    const checked = execFileSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd, encoding: "utf8" });
    expect(checked.trim().split("\n")).toHaveLength(filesIn(tree.folder).length - 1);
  });

  test("has the server's sources and nothing that is not committed", () => {
    const archive = join(tree.folder, "release", `authfleet-${version}.tar.gz`);
    const listed = execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).trim().split("\n");
    const paths = listed
      .filter((path) => !path.endsWith("/"))
      .map((path) => path.slice(`authfleet-${version}/`.length));
    expect(paths.sort()).toEqual(tree.git("ls-files").trim().split("\n").sort());
    expect(paths).toContain("src/main.ts");
  });

  interface Sbom {
    serialNumber: string;
    metadata: { timestamp: string; component: { name: string; version: string; type: string } };
    components: { "bom-ref": string; name: string }[];
  }
  interface Lock {
    packages: Record<string, { version: string; dev?: boolean }>;
  }
  const sbomOf = (name: string): Sbom => JSON.parse(String(bytes(tree.folder, `${name}-${version}.cdx.json`))) as Sbom;

  test.each([
    ["authfleet", "application"],
    ["authfleet-client", "library"],
  ])("has an SBOM of %s that says what it is of, and when", (name, type) => {
    const { serialNumber, metadata } = sbomOf(name);
    expect(metadata.component).toMatchObject({ name, version, type });
    expect(metadata.timestamp).toBe(committedAt);
    expect(serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test("has in the server's SBOM each package that is installed for production, and no other", () => {
    const { packages } = JSON.parse(readFileSync(join(tree.folder, "package-lock.json"), "utf8")) as Lock;
    const idsOf = (entries: [string, { version: string }][]): string[] => [
      ...new Set(entries.map(([path, entry]) => `${path.replace(/.*node_modules\//, "")}@${entry.version}`)),
    ];
    const locked = Object.entries(packages).filter(([path]) => path !== "");
    const listed = sbomOf("authfleet").components.map((component) => component["bom-ref"]);
    expect(listed.sort()).toEqual(idsOf(locked.filter(([, { dev }]) => !dev)).sort());
    expect(idsOf(locked).length).toBeGreaterThan(listed.length); // the control
  });

  test("has in the client's SBOM what its manifest names, and nothing of the server's", () => {
    const names = sbomOf("authfleet-client").components.map(({ name }) => name);
    const manifest = JSON.parse(readFileSync(join(tree.folder, "clients", "typescript", "package.json"), "utf8")) as {
      dependencies: object;
    };
    expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
    expect(names.filter((each) => ["pg", "argon2", "commander", "jest", "@platformatic/kafka"].includes(each))).toEqual(
      [],
    );
  });

  test("is the only one that this version can be released from: its tag and released.json say so", async () => {
    const { folder, git, commit } = inRepository(other);
    appendFileSync(join(folder, "README.md"), "\nMore.\n");
    commit("Say more");
    const { code, stderr } = await release(folder, "--no-image");
    const later = git("rev-parse", "HEAD").slice(0, 12);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^- The tag v\\S+ names \\w{12}, and this is ${later}\\.$`, "m"));
    expect(stderr).toMatch(new RegExp(`^- \\S+ was released by commit \\w{12}, .* this is ${later}: check`, "m"));
    expect(filesIn(folder)).toContain("SHA256SUMS"); // of the release before it
  });
});
