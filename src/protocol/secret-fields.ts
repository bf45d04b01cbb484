// Which fields travel sealed, from the schemas: those of one record by their paths, and of all records by their last
// names, whose values the log never shows.
import { commandSchemas, eventSchemas, mailSchema } from "./generated/schemas.ts";

/** A field that travels only inside `sealed`, as a schema's attribute `sealedFields` has it. */
export interface SealedField {
  /** Dotted where it is part of a record within. */
  name: string;
  doc: string;
  /** See bus/avro/text-gate.ts. */
  maxBytes?: number;
  text?: string;
}

/** Paths of the fields of a request or of a result that travel sealed, `tokens.accessToken`. */
export function sealedPaths({ sealedFields = [] }: { sealedFields?: readonly SealedField[] }): string[] {
  return sealedFields.map(({ name }) => name);
}

/** Last names alone (tokens.accessToken is accessToken), because an object may be logged from any level of it. */
export function sealedNames(): string[] {
  return [...new Set([commandSchemas, eventSchemas, mailSchema].flatMap(lastNames))].sort();
}

function lastNames(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  const { sealedFields } = part as { sealedFields?: readonly SealedField[] };
  const own = sealedFields === undefined ? [] : sealedPaths({ sealedFields });
  return [...own.map((path) => path.split(".").at(-1)!), ...Object.values(part).flatMap(lastNames)];
}
