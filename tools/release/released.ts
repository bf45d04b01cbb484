// schemas/released.json: what was ever released of Avro schemas and of the numbers in proto/. A release appends to it
// and takes nothing out, because records of a released version stay readable and its clients stay served. It also names
// the version, so every release changes it: the commit that last changed it is the last release, and no tag is needed.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { subjects } from "../../src/processes/topic-specs.ts";
import { addProtoNumbers, type ProtoDefinition, type ProtoNumbers, protoFaults, readProtos } from "./proto-numbers.ts";

export const releasedFile = "schemas/released.json";

export interface Released {
  /** Of the last release; null before the first one. */
  version: string | null;
  /** By subject, the oldest first. */
  schemas: Record<string, object[]>;
  proto: ProtoNumbers;
}

/** What a release of the checkout has. */
export interface Current {
  version: string;
  subjects: readonly { subject: string; schema: object }[];
  proto: ProtoDefinition;
}

export function readReleased(root: string): Released {
  return JSON.parse(readFileSync(join(root, releasedFile), "utf8")) as Released;
}

export async function readCurrent(root: string): Promise<Current> {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  return { version, subjects: subjects(), proto: await readProtos(join(root, "proto")) };
}

/** @returns the file after the release @throws Error where a released number of proto/ is used for something else */
export function addRelease(released: Released, { version, subjects, proto }: Current): Released {
  const faults = protoFaults(released.proto, proto);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  const schemas = { ...released.schemas };
  for (const { subject, schema } of subjects) {
    const versions = schemas[subject] ?? [];
    const isNew = JSON.stringify(versions.at(-1)) !== JSON.stringify(schema);
    schemas[subject] = isNew ? [...versions, schema] : versions;
  }
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { version, schemas: sorted, proto: addProtoNumbers(released.proto, proto.numbers) };
}

export const formatReleased = (released: Released): string => `${JSON.stringify(released, null, 1)}\n`;
