// Environments for the tests of the configuration: one with what is needed, and what is wrong with others.
import type { ProcessName, Variable } from "../../src/config/kinds.ts";
import { type Config, ConfigFault, type Environment, readConfig } from "../../src/config/read.ts";
import { variables } from "../../src/config/variables.ts";
import { selfSigned } from "../bridge/certificate.ts";

export const key = Buffer.alloc(32, 7).toString("base64");
export const online = {
  AUTH_KAFKA_BROKERS: "kafka:9092",
  AUTH_DATABASE_URL: "postgresql://auth@db/auth?sslmode=require",
  AUTH_MASTER_KEY: `k1:${key}`,
};
export const { cert, key: tlsKey } = selfSigned();
export const table = Object.entries<Variable<unknown>>(variables);

export const read = (env: Environment, role: ProcessName = "worker"): Config => readConfig({ ...online, ...env }, role);

/** The faults of this environment, none where it is taken. */
export function faultsOf(env: Environment, role: ProcessName = "worker"): string[] {
  try {
    read(env, role);
    return [];
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults;
    throw error;
  }
}
