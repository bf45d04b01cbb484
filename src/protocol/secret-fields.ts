// The fields that are sealed, from the schemas: by path for one record, and by last name for all records, to redact
// logs.
import { commandSchemas, eventSchemas, mailSchema } from "./generated/schemas.ts";

/** A field that travels only inside `sealed`, from a schema's attribute `sealedFields`. */
export interface SealedField {
  /** Dotted where it is in a nested record. */
  name: string;
  doc: string;
  /** See bus/avro/text-gate.ts. */
  maxBytes?: number;
  text?: string;
}

/** Paths of the sealed fields of a request or result, such as `tokens.accessToken`. */
export function sealedPaths({ sealedFields = [] }: { sealedFields?: readonly SealedField[] }): string[] {
  return sealedFields.map(({ name }) => name);
}

/** Last names only (tokens.accessToken is accessToken), because an object may be logged from any level. */
export function sealedNames(): string[] {
  return [...new Set([commandSchemas, eventSchemas, mailSchema].flatMap(lastNames))].sort();
}

function lastNames(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  const { sealedFields } = part as { sealedFields?: readonly SealedField[] };
  const own = sealedFields === undefined ? [] : sealedPaths({ sealedFields });
  return [...own.map((path) => path.split(".").at(-1)!), ...Object.values(part).flatMap(lastNames)];
}
