// Linter and compiler have nothing to say: what `npm run lint` and `npm run typecheck` check. And there is no file, no
// dependency and no export that nothing uses (knip.jsonc).
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { ownFolder } from "./support/stack.ts";

const root = join(import.meta.dirname, "..");

test.each([
  ["biome", ["check", "--error-on-warnings"]],
  ["tsc", ["-p", "."]],
  ["knip", ["--no-progress"]],
])(
  "%s finds nothing",
  (program, args) => {
    const { status, stdout, stderr } = spawnSync(join(root, "node_modules", ".bin", program), args, {
      cwd: root,
      encoding: "utf8",
    });
    expect({ status, said: status === 0 ? "" : stdout + stderr }).toEqual({ status: 0, said: "" });
  },
  60_000,
);

test("knip finds a file, an export and a dependency that nothing uses", () => {
  const folder = ownFolder("knip");
  const files = {
    "package.json": JSON.stringify({ name: "x", type: "module", main: "main.js", dependencies: { avsc: "5.7.9" } }),
    "main.js": 'import { used } from "./used.js";\nused();\n',
    "used.js": "export const used = () => 1;\nexport const unused = 2;\n",
    "alone.js": "",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const { status, stdout } = spawnSync(join(root, "node_modules", ".bin", "knip"), ["--no-progress"], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(status).toBe(1);
  for (const found of ["alone.js", "unused", "avsc"]) expect(stdout).toContain(found);
}, 30_000);
