// authctl schemas: the schemas of this version beside those of the registry. `check` changes nothing and says what registering would find;
// `register` does what `authfleet migrate` does with them, but for the workers' table of ids, which needs the database.
import { type Registry, RegistryFault } from "../../bus/avro/schema-store.ts";
import { ConfigFault } from "../../config/read.ts";
import { registryOf } from "../../processes/index.ts";
import { type SubjectSpec, subjects } from "../../processes/topic-specs.ts";
import { type Answer, type Command, Unreachable } from "../command.ts";
import { type Target, targetOf } from "../connect/target.ts";
import { columns } from "../terminal/table.ts";

type State = "registered" | "new subject" | "new version" | "incompatible" | "other compatibility";

export interface Judged {
  subject: string;
  state: State;
  /** Of exactly this schema; null where it is not registered. */
  id: number | null;
  /** What stands against it, a sentence each. */
  faults: string[];
}

const atOnce = 4;
const bad: readonly State[] = ["incompatible", "other compatibility"];

export const schemasCheck: Command = {
  name: "schemas check",
  usage: "",
  summary: "whether the registry has this version's schemas, or would take them",
  help: `Asks the registry about every schema of this version: registered; a new subject or a new version that it would take; incompatible with the
latest version of its subject; or its subject has another compatibility than ours (requests BACKWARD, replies and events FORWARD).
Nothing is changed. The exit code is 1 where one of them would be refused: before a deploy, in CI.`,
  needs: [],
  options: {},
  run: (call) => withRegistry(targetOf(call.env), async (registry) => checked(await judgeAll(registry, subjects()))),
};

export const schemasRegister: Command = {
  name: "schemas register",
  usage: "",
  summary: "registers this version's schemas",
  help: `Registers every schema of this version, each with the compatibility of its kind where its subject is new. First all are checked: where the
registry would refuse one, none is registered, and the exit code is 1. What is registered stays as it is. authfleet migrate does the same and writes the
ids into the database too, from where workers know them while the registry is away.`,
  needs: [],
  options: {},
  run: (call) =>
    withRegistry(targetOf(call.env), async (registry) => {
      const judged = await judgeAll(registry, subjects());
      if (judged.some(({ state }) => bad.includes(state))) return checked(judged);
      return registered(judged, await registerAll(registry, subjects()));
    }),
};

/** @throws Unreachable, ConfigFault */
async function withRegistry(target: Target, use: (registry: Registry) => Promise<Answer>): Promise<Answer> {
  const registry = registryOf(target.config);
  if (registry === undefined) throw new ConfigFault(["AUTH_REGISTRY_URL is not set"]);
  try {
    return await use(registry);
  } catch (error) {
    if (!(error instanceof RegistryFault)) throw error;
    throw new Unreachable(`${error.message}. ${target.advice}`);
  }
}

/** In the order of the specifications. */
export async function judgeAll(registry: Registry, specs: SubjectSpec[]): Promise<Judged[]> {
  return inOrder(specs, (spec) => judge(registry, spec));
}

async function judge(registry: Registry, { subject, schema, compatibility }: SubjectSpec): Promise<Judged> {
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

function checked(judged: Judged[]): Answer {
  const open = judged.filter(({ state }) => state !== "registered");
  const faults = judged.filter(({ state }) => bad.includes(state));
  const rows = open.map(({ subject, state, faults: against }) => [subject, state, against.join("; ")]);
  const known = `${judged.length - open.length} of ${judged.length} schemas are registered`;
  const verdict =
    faults.length > 0 ? `; ${faults.length} would be refused` : open.length > 0 ? "; the others would be taken" : "";
  return {
    document: { ok: faults.length === 0, schemas: judged },
    lines: [
      ...(open.length > 0 ? [...columns([["SUBJECT", "STATE", "WHY"], ...rows]), ""] : []),
      `${known}${verdict}.`,
    ],
    failed: faults.length > 0,
  };
}

function registered(before: Judged[], ids: number[]): Answer {
  const schemas = before.map(({ subject, state }, at) => ({
    subject,
    id: ids[at] ?? null,
    registered: state !== "registered",
  }));
  const fresh = schemas.filter((each) => each.registered);
  const rows = fresh.map(({ subject, id }) => [subject, String(id)]);
  const lines = fresh.length > 0 ? [...columns([["SUBJECT", "ID"], ...rows]), ""] : [];
  return {
    document: { ok: true, schemas },
    lines: [...lines, `${fresh.length} schemas were registered, ${schemas.length - fresh.length} were there.`],
  };
}
