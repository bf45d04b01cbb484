// Keeps the table of commands in docs/protocol.md in step with schemas and handlers: what stands between two marks
// there is written from them.
import { readFileSync } from "node:fs";
import { commandsIn } from "./schemas.ts";

const [begin, end] = ["<!-- commands: generated -->", "<!-- end of commands -->"];

interface Field {
  name: string;
  default?: unknown;
}

interface Stores {
  topic: string;
  storesAnswer: boolean;
}

interface Command {
  topic: string;
  request: { recordKey?: { kind: string; field: string }; sealedFields?: { name: string }[]; fields: Field[] };
  reply: { fields: { type: { sealedFields?: { name: string }[]; fields: Field[] }[] }[] };
}

/**
 * @param handlers every command's, for whether its answer is stored
 * @returns the page with its table as it must be. @throws Error where the marks are not there
 */
export function protocolPage(file: string, schemas: string, handlers: readonly Stores[]): string {
  const page = readFileSync(file, "utf8");
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file}: the marks of the table of commands are gone`);
  return `${page.slice(0, from + begin.length)}\n${commandTable(schemas, handlers)}\n${page.slice(to)}`;
}

function commandTable(schemas: string, handlers: readonly Stores[]): string {
  const storing = new Set(handlers.filter(({ storesAnswer }) => storesAnswer).map(({ topic }) => topic));
  const rows = (commandsIn(schemas) as unknown as Command[]).map(({ topic, request, reply }) => {
    const result = reply.fields[0]!.type[0]!;
    return `| \`${topic}\` | ${keyText(request.recordKey)} | ${fieldsText(request)} | ${fieldsText(result)} | ${storing.has(topic) ? "yes" : "no"} |`;
  });
  return ["| topic | record key | fields of the request | result | stored |", "|---|---|---|---|---|", ...rows].join(
    "\n",
  );
}

/** Which record key a request has, in words. */
export function keyText(rule: Command["request"]["recordKey"]): string {
  switch (rule?.kind) {
    case undefined:
      return "any";
    case "login":
    case "email":
      return `\`${rule?.field}\`, normalised`;
    case "token":
      return `token id of \`${rule?.field}\``;
    case "session":
      return `session id of \`${rule?.field}\``;
    case "user":
      return `\`sub\` of \`${rule?.field}\``;
    default:
      throw new Error(`no such kind of record key: ${rule?.kind}`);
  }
}

function fieldsText({ fields, sealedFields = [] }: { fields: Field[]; sealedFields?: { name: string }[] }): string {
  const clear = fields
    .filter(({ name }) => name !== "sealed")
    .map((field) => ("default" in field ? `${field.name}?` : field.name));
  return [...clear, ...sealedFields.map(({ name }) => `**${name}**`)].join(", ") || "-";
}
