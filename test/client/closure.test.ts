// What the client's package is made of: src/client and whatever it imports. It reaches nothing of the server, and its
// package.json lists the packages that these files import, no more and no fewer.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..", "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** Modules that a source imports, for its types too: those of a package are in what it publishes. */
function importsOf(text: string): string[] {
  const imports = /(?:^(?:import|export|\}).*? from |^import |\bimport\(|\brequire\(|\.resolve\()"([^"]+)"/gm;
  return [...text.matchAll(imports)].map(([, module]) => module!).filter((module) => !module.startsWith("node:"));
}

interface Closure {
  files: string[];
  packages: string[];
}

function closureOf(entry: string, textOf: (file: string) => string): Closure {
  const files = new Set<string>([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const module of importsOf(textOf(file))) {
      if (module.startsWith(".")) files.add(join(dirname(file), module));
      else packages.add(module.split("/", module.startsWith("@") ? 2 : 1).join("/"));
    }
  }
  return { files: [...files].sort(), packages: [...packages].sort() };
}

/** Files that belong to the server, or to what only a checkout has. */
function ofServer({ files }: Closure): string[] {
  const own = /^src\/(client|bus|kafka|lib|runtime|protocol)\//;
  const verifying = ["access-tokens", "ids", "jws"].map((name) => `src/crypto/${name}.ts`);
  return files.filter((file) => !own.test(file) && !verifying.includes(file));
}

interface Manifest {
  version: string;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
  bundledDependencies: string[];
}

const manifest = JSON.parse(read("clients/typescript/package.json")) as Manifest;
const closure = closureOf("src/client/index.ts", read);

describe("the client's package", () => {
  test("reaches no file of the server", () => {
    expect(closure.files.length).toBeGreaterThan(40);
    expect(ofServer(closure)).toEqual([]);
  });

  test("the guard sees a file that is reached over another, and a package", () => {
    const texts: Record<string, string> = {
      "src/client/index.ts": 'import type { A } from "../bus/a.ts";',
      "src/bus/a.ts": 'export { b } from "../db/b.ts";\nconst c = await import("@grpc/grpc-js/d");',
      "src/db/b.ts": 'import {\n  sql,\n} from "slonik";',
    };
    const wrong = closureOf("src/client/index.ts", (file) => texts[file]!);
    expect(ofServer(wrong)).toEqual(["src/db/b.ts"]);
    expect(wrong.packages).toEqual(["@grpc/grpc-js", "slonik"]);
  });

  test("lists the packages that it imports, and only these", () => {
    const listed = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
    expect(listed.sort()).toEqual(closure.packages);
  });

  test("lists them in the versions that are tested here", () => {
    const { version, dependencies } = JSON.parse(read("package.json")) as Manifest;
    expect(manifest.version).toBe(version);
    const listed = { ...manifest.dependencies, ...manifest.peerDependencies };
    const others = Object.entries(listed).filter(([name, range]) => range.replace(/^\^/, "") !== dependencies[name]);
    expect(others).toEqual([]);
  });

  test("carries its own kafkajs, in exactly the version that src/kafka/kafkajs knows, and leaves the second driver to services", () => {
    expect(manifest.bundledDependencies).toEqual(["kafkajs"]);
    expect(manifest.dependencies["kafkajs"]).toBe("2.2.4");
    expect(manifest.peerDependenciesMeta).toEqual({ "@platformatic/kafka": { optional: true } });
    expect(Object.keys(manifest.peerDependencies)).toEqual(["@platformatic/kafka"]);
  });
});
