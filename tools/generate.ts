// Writes what is generated: src/protocol/generated/schemas.ts from schemas/, src/handlers/index.ts from the files
// beside it, docs/configuration.md from src/config/variables.ts, docs/authctl.md from src/authctl/commands.ts, the
// table of commands in docs/protocol.md from schemas and handlers, and docs/asyncapi.yaml from schemas/ and
// src/processes/topic-specs.ts.
// `npm run generate` writes; `npm run generate -- --check` only compares and exits 1 where something is out of date.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { configurationPage } from "../src/config/page.ts";
import { handlersIndex } from "./handlers.ts";
import { protocolPage } from "./protocol.ts";
import { generateSchemas } from "./schemas.ts";

const root = join(import.meta.dirname, "..");

const outputs: Record<string, () => string | Promise<string>> = {
  "src/protocol/generated/schemas.ts": () => generateSchemas(join(root, "schemas")),
  "src/handlers/index.ts": () => handlersIndex(join(root, "src", "handlers"), join(root, "schemas")),
  "docs/configuration.md": configurationPage,
  // Loaded here, because they read what was generated above.
  "docs/authctl.md": async () => (await import("./authctl.ts")).authctlPage(),
  "docs/protocol.md": async () => {
    const { handlers } = await import("../src/handlers/index.ts");
    return protocolPage(join(root, "docs", "protocol.md"), join(root, "schemas"), handlers);
  },
  "docs/asyncapi.yaml": async () => (await import("./asyncapi.ts")).asyncapiPage(join(root, "schemas")),
};

async function main(check: boolean): Promise<number> {
  let stale = 0;
  for (const [file, generate] of Object.entries(outputs)) {
    const path = join(root, file);
    const text = await generate();
    if (read(path) === text) continue;
    stale += 1;
    if (check) {
      console.error(`${file} is out of date: run npm run generate`);
    } else {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      console.log(`wrote ${file}`);
    }
  }
  return check && stale > 0 ? 1 : 0;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

process.exitCode = await main(process.argv.includes("--check"));
