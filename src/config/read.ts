// Reads the environment by the table in variables.ts: typed, checked once at start, with all faults reported at once.
// The only file that touches process.env.
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import type { Config } from "./config.ts";
import type { ProcessName, Variable } from "./kinds.ts";
import { plaintextFaults } from "./plaintext.ts";
import { isServiceLink, variables } from "./variables.ts";

export type { Config } from "./config.ts";

export type Environment = Record<string, string | undefined>;

/** Lists every fault of the configuration, one per line. */
export class ConfigFault extends Error {
  override readonly name = "ConfigFault";
  readonly faults: string[];

  constructor(faults: string[]) {
    super(
      `The configuration has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}:\n  ${faults.join("\n  ")}`,
    );
    this.faults = faults;
  }
}

/** The process's environment; main.ts passes it on. */
export function environment(): Environment {
  return process.env;
}

/** Argon2 shares libuv's pool with files and DNS; these keep threads while every hash thread is busy. */
const threadsBesideHashing = 4;

/**
 * Sizes libuv's thread pool for this many parallel hashes, unless UV_THREADPOOL_SIZE is set. libuv reads the variable
 * at the pool's first work, so this must come before any (measured, Node 24: it takes effect at the top of the entry
 * file, and not after a DNS look-up).
 */
export function sizeThreadPool(hashThreads: number): void {
  process.env["UV_THREADPOOL_SIZE"] ??= String(hashThreads + threadsBesideHashing);
}

/** The memory this process may use in bytes: its container's limit, or the machine's memory. */
function memoryLimit(): number {
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}

/** @param memory bytes that the process may use. @throws ConfigFault */
export function readConfig(env: Environment, processName: ProcessName, memory = memoryLimit()): Config {
  const faults = unknownNames(env);
  const values: Record<string, unknown> = {};
  const unread = new Set<string>();
  for (const [name, variable] of Object.entries<Variable<unknown>>(variables)) {
    try {
      values[name] = readVariable(env, name, variable, processName);
    } catch (error) {
      faults.push(`${name} ${(error as Error).message}`);
      unread.add(name);
    }
  }
  const config = values as unknown as Config;
  // Contradictions between variables are reported too, unless one of the two could not be parsed.
  for (const { of, check } of rules) if (!of.some((name) => unread.has(name))) faults.push(...check(config));
  faults.push(...plaintextFaults(config, { processName, unread }));
  if (faults.length === 0 && processName === "worker") faults.push(...hashesTooLarge(config, memory));
  if (faults.length > 0) throw new ConfigFault(faults);
  return config;
}

function readVariable(env: Environment, name: string, variable: Variable<unknown>, processName: ProcessName): unknown {
  const given = textOf(env, name);
  if (given === undefined && variable.neverEmpty && env[`${name}_FILE`]) throw new Error(`is empty in ${name}_FILE`);
  if (given !== undefined) return variable.parse(given);
  if (variable.default !== undefined) {
    return variable.parse(typeof variable.default === "function" ? variable.default() : variable.default);
  }
  if (variable.needed?.includes(processName))
    throw new Error(`is not set, and the process ${processName} needs it: ${variable.meaning}`);
  return undefined;
}

/** The variable's text, from NAME or from the file named by NAME_FILE. An empty text counts as not set. */
function textOf(env: Environment, name: string): string | undefined {
  const direct = isServiceLink(name, env[name]) ? undefined : env[name] || undefined;
  const file = env[`${name}_FILE`] || undefined;
  if (direct !== undefined && file !== undefined) throw new Error(`is given twice: as ${name} and as ${name}_FILE`);
  if (file === undefined) return direct;
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch (error) {
    throw new Error(`cannot be read from ${name}_FILE: ${(error as Error).message}`);
  }
}

function unknownNames(env: Environment): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith("AUTH_") && !name.startsWith("AUTH_TEST_") && !isServiceLink(name, env[name]))
    .filter((name) => !Object.hasOwn(variables, name.replace(/_FILE$/, "")) && !Object.hasOwn(variables, name))
    .map((name) => `${name} is not a variable of this service; docs/configuration.md lists them`);
}

/** With more parallel hashes than fit into memory, the kernel would kill the worker under load. */
function hashesTooLarge({ AUTH_HASH_THREADS: threads, AUTH_ARGON2_MEMORY: each }: Config, memory: number): string[] {
  const [needed, limit] = [(threads * each) / 1024, memory / 1024 ** 2].map(Math.round) as [number, number];
  if (needed <= limit) return [];
  return [
    `AUTH_HASH_THREADS hashes at a time of AUTH_ARGON2_MEMORY each need ${needed} MiB, and this process may use ${limit} MiB`,
  ];
}

/** Rules that concern several variables. */
const rules: { of: (keyof Config)[]; check(config: Config): string[] }[] = [
  {
    of: ["AUTH_KAFKA_SASL_MECHANISM", "AUTH_KAFKA_SASL_USERNAME", "AUTH_KAFKA_SASL_PASSWORD"],
    check: ({
      AUTH_KAFKA_SASL_MECHANISM: mechanism,
      AUTH_KAFKA_SASL_USERNAME: name,
      AUTH_KAFKA_SASL_PASSWORD: password,
    }) =>
      mechanism !== "none" && !(name && password)
        ? ["AUTH_KAFKA_SASL_MECHANISM needs AUTH_KAFKA_SASL_USERNAME and AUTH_KAFKA_SASL_PASSWORD"]
        : [],
  },
  {
    of: ["AUTH_GRPC_TLS_CERT", "AUTH_GRPC_TLS_KEY"],
    check: ({ AUTH_GRPC_TLS_CERT: cert, AUTH_GRPC_TLS_KEY: key }) =>
      (cert === undefined) !== (key === undefined) ? ["AUTH_GRPC_TLS_CERT and AUTH_GRPC_TLS_KEY belong together"] : [],
  },
  {
    of: ["AUTH_GRPC_TLS_CLIENT_CA", "AUTH_GRPC_TLS_CERT"],
    check: ({ AUTH_GRPC_TLS_CLIENT_CA: authority, AUTH_GRPC_TLS_CERT: cert }) =>
      authority !== undefined && cert === undefined
        ? ["AUTH_GRPC_TLS_CLIENT_CA needs AUTH_GRPC_TLS_CERT and AUTH_GRPC_TLS_KEY"]
        : [],
  },
  {
    of: ["AUTH_GRPC_TRUSTED", "AUTH_GRPC_TLS_CLIENT_CA"],
    check: ({ AUTH_GRPC_TRUSTED: trusted, AUTH_GRPC_TLS_CLIENT_CA: authority }) =>
      trusted !== undefined && authority === undefined
        ? ["AUTH_GRPC_TRUSTED needs AUTH_GRPC_TLS_CLIENT_CA: callers are known by their certificates"]
        : [],
  },
  {
    of: ["AUTH_RP_ORIGINS", "AUTH_RP_ID"],
    check({ AUTH_RP_ORIGINS: origins, AUTH_RP_ID: domain }) {
      const foreign = origins.find((origin) => !isWithin(origin, domain));
      return foreign === undefined
        ? []
        : [`AUTH_RP_ORIGINS has ${foreign}, which is no secure origin within AUTH_RP_ID`];
    },
  },
  {
    of: ["AUTH_REFRESH_IDLE", "AUTH_REFRESH_TTL"],
    check: ({ AUTH_REFRESH_IDLE: idle, AUTH_REFRESH_TTL: whole }) =>
      idle > whole ? ["AUTH_REFRESH_IDLE must not be longer than AUTH_REFRESH_TTL"] : [],
  },
];

/**
 * Whether a browser at this origin lets a page use passkeys for the domain (HTML, "is a registrable domain suffix of or
 * is equal to").
 */
function isWithin(origin: string, domain: string): boolean {
  if (origin.startsWith("android:")) return true;
  const { hostname, protocol } = new URL(origin);
  const secure = protocol === "https:" || hostname === "localhost" || hostname.endsWith(".localhost");
  return secure && (hostname === domain || hostname.endsWith(`.${domain}`));
}
