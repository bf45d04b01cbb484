// authctl schemas: compares the schemas of this version with those of the registry. `check` changes nothing and says
// what registering would do. `register` does what `authfleet migrate` does, without the workers' table of ids, which
// needs the database.
import type { Registry } from "../../bus/avro/schema-store.ts";
import { ConfigFault } from "../../config/read.ts";
import type { SubjectSpec } from "../../processes/topic-specs.ts";
import type { CommandResult, Run } from "../command.ts";
import { type FleetTarget, findTarget } from "../connect/target.ts";
import { Unreachable } from "../faults.ts";
import { table } from "../terminal/table.ts";

type State = "registered" | "new subject" | "new version" | "incompatible" | "other compatibility";

export interface SchemaState {
  subject: string;
  state: State;
  /** Of exactly this schema; null where it is not registered. */
  id: number | null;
  /** Why the registry would refuse it, a sentence each. */
  faults: string[];
}

const atOnce = 4;
const bad: readonly State[] = ["incompatible", "other compatibility"];

export const schemasCheck: Run = (call) =>
  withRegistry(findTarget(call.env), async (registry, specs) => checked(await compareAll(registry, specs)));

export const schemasRegister: Run = (call) =>
  withRegistry(findTarget(call.env), async (registry, specs) => {
    const compared = await compareAll(registry, specs);
    if (compared.some(({ state }) => bad.includes(state))) return checked(compared);
    return registered(compared, await registerAll(registry, specs));
  });

/** @throws Unreachable, ConfigFault */
async function withRegistry(
  target: FleetTarget,
  use: (registry: Registry, specs: SubjectSpec[]) => Promise<CommandResult>,
): Promise<CommandResult> {
  const [{ registryOf }, { RegistryFault }, { subjects }] = await Promise.all([
    import("../../processes/parts.ts"),
    import("../../bus/avro/schema-store.ts"),
    import("../../processes/topic-specs.ts"),
  ]);
  const registry = registryOf(target.config);
  if (registry === undefined) throw new ConfigFault(["AUTH_REGISTRY_URL is not set"]);
  try {
    return await use(registry, subjects());
  } catch (error) {
    if (!(error instanceof RegistryFault)) throw error;
    throw new Unreachable(`${error.message}. ${target.advice}`);
  }
}

/** In the order of the specifications. */
export async function compareAll(registry: Registry, specs: SubjectSpec[]): Promise<SchemaState[]> {
  return inOrder(specs, (spec) => compare(registry, spec));
}

async function compare(registry: Registry, { subject, schema, compatibility }: SubjectSpec): Promise<SchemaState> {
  const id = (await registry.idOf(subject, schema)) ?? null;
  if (id !== null) return { subject, state: "registered", id, faults: [] };
  const { compatibility: has, exists, faults } = await registry.judge(subject, schema);
  if (!exists) return { subject, state: "new subject", id, faults: [] };
  if (has !== undefined && has !== compatibility)
    return { subject, state: "other compatibility", id, faults: [`the subject is ${has}, not ${compatibility}`] };
  return { subject, state: faults.length > 0 ? "incompatible" : "new version", id, faults };
}

function registerAll(registry: Registry, specs: SubjectSpec[]): Promise<number[]> {
  return inOrder(specs, ({ subject, schema, compatibility }) => registry.register(subject, schema, compatibility));
}

async function inOrder<T>(specs: SubjectSpec[], ask: (spec: SubjectSpec) => Promise<T>): Promise<T[]> {
  const queue = [...specs.entries()];
  const answers: T[] = [];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) answers[next[0]] = await ask(next[1]);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return answers;
}

function checked(compared: SchemaState[]): CommandResult {
  const open = compared.filter(({ state }) => state !== "registered");
  const faults = compared.filter(({ state }) => bad.includes(state));
  const rows = open.map(({ subject, state, faults: against }) => [subject, state, against.join("; ")]);
  const known = `${compared.length - open.length} of ${compared.length} schemas are registered`;
  const verdict =
    faults.length > 0 ? `; ${faults.length} would be refused` : open.length > 0 ? "; the others would be taken" : "";
  return {
    document: { ok: faults.length === 0, schemas: compared },
    lines: [...(open.length > 0 ? [...table([["SUBJECT", "STATE", "WHY"], ...rows]), ""] : []), `${known}${verdict}.`],
    failed: faults.length > 0,
  };
}

function registered(before: SchemaState[], ids: number[]): CommandResult {
  const schemas = before.map(({ subject, state }, at) => ({
    subject,
    id: ids[at] ?? null,
    registered: state !== "registered",
  }));
  const fresh = schemas.filter((each) => each.registered);
  const rows = fresh.map(({ subject, id }) => [subject, String(id)]);
  const lines = fresh.length > 0 ? [...table([["SUBJECT", "ID"], ...rows]), ""] : [];
  return {
    document: { ok: true, schemas },
    lines: [...lines, `${fresh.length} schemas were registered, ${schemas.length - fresh.length} were there.`],
  };
}
