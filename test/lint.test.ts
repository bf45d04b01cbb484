// Linter and compiler have nothing to say: what `npm run lint` and `npm run typecheck` check.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "..");

test.each([
  ["biome", ["check", "--error-on-warnings"]],
  ["tsc", ["-p", "."]],
])(
  "%s is content",
  (program, args) => {
    const { status, stdout, stderr } = spawnSync(join(root, "node_modules", ".bin", program), args, {
      cwd: root,
      encoding: "utf8",
    });
    expect({ status, said: status === 0 ? "" : stdout + stderr }).toEqual({ status: 0, said: "" });
  },
  60_000,
);
