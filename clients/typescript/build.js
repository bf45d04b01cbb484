// Builds what `npm pack` puts into the tarball: src/client and what it imports, compiled, the licence, and the copy of kafkajs that
// this package carries. Needs `npm ci` in the repository's root and nothing else. Runs on Node 20.20, so no package is used here.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const home = fileURLToPath(new URL(".", import.meta.url));
const root = join(home, "..", "..");

rmSync(join(home, "dist"), { recursive: true, force: true });
execFileSync(join(root, "node_modules", ".bin", "tsc"), ["-p", home], { stdio: "inherit" });
cpSync(join(root, "LICENSE"), join(home, "LICENSE"));

// npm packs a bundled dependency from this folder's own node_modules, and leaves one out that it does not find there.
rmSync(join(home, "node_modules"), { recursive: true, force: true });
mkdirSync(join(home, "node_modules"));
cpSync(join(root, "node_modules", "kafkajs"), join(home, "node_modules", "kafkajs"), { recursive: true });
