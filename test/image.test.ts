// The image, as far as its Dockerfile says it without being built: it runs as a user without rights, named by number,
// and compose goes by the same.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { imageLabels } from "../tools/release/image.ts";

const root = join(import.meta.dirname, "..");
const text = (file: string): string => readFileSync(join(root, file), "utf8");

/** Who the last runner runs as; undefined: root. */
function userOf(dockerfile: string): string | undefined {
  const last = dockerfile.slice(dockerfile.search(/^FROM (?![\s\S]*^FROM )/m));
  return [...last.matchAll(/^USER\s+(\S+)/gm)].at(-1)?.[1];
}

interface Service {
  image: string;
  build?: string;
  pull_policy?: string;
  user?: string;
  network_mode?: string;
  command?: string[];
}

const composed = (): Record<string, Service> =>
  (parse(text("docker-compose.yml"), { merge: true }) as { services: Record<string, Service> }).services;

/** Names of the packages that a source imports. */
function packagesIn(source: string): string[] {
  const imports = /(?:^(?:import|export|\}).*? from |^import |\bimport\(|\brequire\()"((?!node:|\.)[^"]+)"/gm;
  const modules = [...source.matchAll(imports)].map(([, module]) => module!);
  return modules.map((module) => module.split("/", module.startsWith("@") ? 2 : 1).join("/"));
}

test("the commands run in their own process under the Node that the package brings, and no other", () => {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(text("package.json")) as Record<string, object>;
  const { node } = { ...dependencies, ...devDependencies } as Record<string, string>;
  expect(/PROJECT_MAJOR = (\d+);/.exec(text("bin/bootstrap.js"))?.[1]).toBe(node!.split(".")[0]);
});

describe("the image", () => {
  test("runs as user and group 1000, by number", () => {
    expect(userOf(text("Dockerfile"))).toBe("1000:1000");
    expect(userOf("FROM a\nUSER 1000:1000\nFROM b\n")).toBeUndefined(); // the control: another runner's user is not this one's
    expect(userOf("FROM a\nUSER node\nCOPY x y\nUSER root\n")).toBe("root");
  });

  test("has every directory that the program reads while it runs", () => {
    const read = ["migrations", "proto", "lists", "templates"];
    const copied = [...text("Dockerfile").matchAll(/^COPY (\w+) \1$/gm)].map(([, directory]) => directory);
    expect(copied).toEqual(expect.arrayContaining(read));
    expect(copied).not.toContain("test"); // the control: not everything is
  });

  test("bounds memory as the commands of the package do", () => {
    const said = /^ENV NODE_OPTIONS=(\S+) MALLOC_ARENA_MAX=(\S+)$/m.exec(text("Dockerfile"))!;
    const command = text("bin/authfleet.js");
    expect(/nodeOptions = \["(\S+)"\]/.exec(command)?.[1]).toBe(said[1]);
    expect(/MALLOC_ARENA_MAX \?\?= "(\S+)"/.exec(command)?.[1]).toBe(said[2]);
  });

  test("has the folders that the program reads, and .dockerignore lets in whatever is copied", () => {
    const copies = (dockerfile: string): string[] =>
      [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from]) => from!.split(" "));
    const letIn = [...text(".dockerignore").matchAll(/^!(.+)$/gm)].map(([, path]) => path!);
    const copied = copies(text("Dockerfile"));
    expect(copied.filter((path) => !letIn.includes(path))).toEqual([]);
    const read = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [...readFileSync(join(root, "src", file), "utf8").matchAll(/packageRoot, "([\w.]+)"/g)])
      .map(([, folder]) => folder!);
    expect(read).toEqual(expect.arrayContaining(["lists", "migrations", "package.json"]));
    expect(read.filter((folder) => !copied.includes(folder))).toEqual([]);
    // The control: what another stage has made is not copied from the checkout.
    expect(copies("COPY a b c\nCOPY --from=build /app/dist dist\nCOPY d d\n")).toEqual(["a", "b", "d"]);
  });

  test("says in its labels what it is; a release adds which version", () => {
    const labels = /^LABEL ((?:.*\\\n)*.*)$/m.exec(text("Dockerfile"))![1]!;
    const stated = Object.fromEntries(
      [...labels.matchAll(/([\w.]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    const base = /^FROM (?!.* AS )(\S+)$/m.exec(text("Dockerfile"))![1];
    const { description, license } = JSON.parse(text("package.json")) as { description: string; license: string };
    expect(stated).toEqual({
      "org.opencontainers.image.title": "authfleet",
      "org.opencontainers.image.description": description,
      "org.opencontainers.image.licenses": license,
      "org.opencontainers.image.base.name": `docker.io/library/${base}`,
    });
    const release = { root, version: "1.2.0", commit: "c".repeat(40), committedAt: new Date(1_800_000_000_000) };
    expect(imageLabels(release)).toEqual({
      "org.opencontainers.image.version": "1.2.0",
      "org.opencontainers.image.revision": "c".repeat(40),
      "org.opencontainers.image.created": "2027-01-15T08:00:00.000Z",
    });
  });

  test("is built by one service of compose, and asked of no registry by the others", () => {
    const ours = Object.values(composed()).filter(({ image }) => image === "authfleet");
    expect(ours.filter(({ build }) => build !== undefined)).toHaveLength(1);
    expect(ours.filter(({ build, pull_policy: policy }) => (build === undefined) !== (policy === "never"))).toEqual([]);
    expect(
      Object.values(composed()).filter(({ build, image }) => build !== undefined && image !== "authfleet"),
    ).toEqual([]);
  });

  test("has the packages that the program imports, as npm installs them for production, and none is deleted by hand", () => {
    expect(text("Dockerfile")).toMatch(/npm ci --omit=dev /);
    expect(text("Dockerfile")).not.toMatch(/\brm /);
    const { dependencies } = JSON.parse(text("package.json")) as { dependencies: Record<string, string> };
    const imported = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => packagesIn(readFileSync(join(root, "src", file), "utf8")));
    expect([...new Set(imported)].sort()).toEqual(Object.keys(dependencies).sort());
    // The control: both ways of importing, and names of two parts.
    expect(packagesIn('import a from "@b/c/d.js";\nconst e = await import("f/g");\nimport "./h.ts";')).toEqual([
      "@b/c",
      "f",
    ]);
  });

  test("is run as that user by compose, but for what makes the secrets, which gives them to it", () => {
    const services = composed();
    const ours = Object.entries(services).filter(([, { image }]) => image === "authfleet");
    expect(ours.length).toBeGreaterThan(5);
    const others = ours.filter(([, { user }]) => user !== undefined);
    expect(others.map(([name, { network_mode }]) => [name, network_mode])).toEqual([["secrets", "none"]]);
    expect(String(others[0]![1].command)).toMatch(/^\s*chown -R 1000:1000 fleet operator\b/m);
  });
});
