// The names of all fields that travel sealed, from the schemas: what the log never shows the value of. Last names alone
// (tokens.accessToken is accessToken), because an object may be logged from any level of it.
import { commandSchemas, eventSchemas, mailSchema } from "./generated/schemas.ts";

export function sealedNames(): string[] {
  return [...new Set([commandSchemas, eventSchemas, mailSchema].flatMap(lastNames))].sort();
}

function lastNames(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  const { sealedFields = [] } = part as { sealedFields?: string[] };
  return [...sealedFields.map((path) => path.split(".").at(-1)!), ...Object.values(part).flatMap(lastNames)];
}
