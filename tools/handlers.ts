// src/handlers/index.ts from the files below src/handlers: the path of a handler is its topic.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** A handler's module: the name it is imported by, its path from src/handlers, and the topic it must serve. */
interface HandlerFile {
  name: string;
  path: string;
  topic: string;
}

/**
 * @param folder src/handlers
 * @param schemas the folder schemas/
 * @returns the text of src/handlers/index.ts
 * @throws Error where a handler has no schemas, or a request schema no handler
 */
export function handlersIndex(folder: string, schemas: string): string {
  const files = handlerFiles(folder);
  for (const { path } of files) {
    const missing = ["request", "reply"].filter((side) => !existsSync(join(schemas, schemaOf(path, side))));
    if (missing.length > 0) {
      const names = missing.map((side) => `schemas/${schemaOf(path, side)}`).join(" and ");
      throw new Error(`src/handlers/${path} is a command, so it needs ${names}`);
    }
  }
  return [
    "// Generated from src/handlers by `npm run generate`. Do not edit.",
    "",
    'import type { Handler } from "../command/define.ts";',
    'import type { Commands } from "../protocol/generated/schemas.ts";',
    ...files.map(({ name, path }) => `import ${name} from "./${path}";`),
    "",
    "/** Does not compile where a handler serves another topic than its path says, or where a command has no handler. */",
    "const byTopic: { [T in keyof Commands]: Handler<T> } = {",
    ...files.map(({ topic, name }) => `  "${topic}": ${name},`),
    "};",
    "",
    "export const handlers = Object.values(byTopic) as unknown as Handler[];",
    "",
  ].join("\n");
}

const schemaOf = (path: string, side: string): string => path.replace(/\.ts$/, `.${side}.avsc`);

/** @returns them in the order of their topics */
function handlerFiles(folder: string): HandlerFile[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((area) => readdirSync(join(folder, area.name)).map((file) => describe(area.name, file)))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1));
}

function describe(area: string, file: string): HandlerFile {
  const command = file.replace(/\.ts$/, "");
  const words = `${area}-${command}`.split("-");
  const name = words.map((word, index) => (index === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join("");
  return { name, path: `${area}/${file}`, topic: `auth.${area}.${command}` };
}
