// Which fleet authctl speaks to: the one that the AUTH_ environment names, else the one that `npm start` runs in
// AUTH_DEV_DIR, found by stack.json, the master key and the operator's key there. Addresses of two fleets are never
// mixed: without AUTH_KAFKA_BROKERS, registry and database come from stack.json too.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Config, type Environment, readConfig } from "../../config/read.ts";
import { devDefaults } from "../../processes/dev/defaults.ts";
import { type Addresses, devFolder, operatorKeyFile, readAddresses } from "../../processes/dev/folder.ts";
import { Unreachable } from "../faults.ts";

export interface FleetTarget {
  readonly config: Config;
  /** What to check when nothing answers: a sentence. */
  readonly advice: string;
}

/** @throws Unreachable where there is no fleet to speak to; ConfigFault */
export function findTarget(env: Environment): FleetTarget {
  if (env["AUTH_KAFKA_BROKERS"] || env["AUTH_KAFKA_BROKERS_FILE"]) {
    return { config: readConfig(env, "ctl"), advice: "Check the AUTH_ environment, and that it is running." };
  }
  const folder = devFolder(env);
  const addresses = readAddresses(folder);
  if (addresses === undefined) {
    throw new Unreachable(
      `There is no fleet to speak to: run \`npm start\` and wait for its line "ready", or set AUTH_KAFKA_BROKERS and AUTH_REGISTRY_URL (${join(folder, "stack.json")} is not there).`,
    );
  }
  return {
    config: readConfig(stackEnvironment(env, { addresses, folder }), "ctl"),
    advice: `${join(folder, "stack.json")} names it: is \`npm start\` still running?`,
  };
}

function stackEnvironment(
  env: Environment,
  { addresses, folder }: { addresses: Addresses; folder: string },
): Environment {
  const fixed: Environment = {
    AUTH_KAFKA_BROKERS: addresses.kafka,
    AUTH_REGISTRY_URL: addresses.registry,
    AUTH_DATABASE_URL: addresses.database,
    AUTH_FLEET_ID: addresses.fleetId,
  };
  const file = join(folder, "master-key");
  const hasKey = env["AUTH_MASTER_KEY"] || env["AUTH_MASTER_KEY_FILE"];
  if (!hasKey && existsSync(file)) fixed["AUTH_MASTER_KEY_FILE"] = file;
  const operator = operatorKeyFile(folder);
  if (!env["AUTH_OPERATOR_KEY_FILE"] && existsSync(operator)) fixed["AUTH_OPERATOR_KEY_FILE"] = operator;
  const others = Object.entries(env).filter(
    ([name]) => !Object.hasOwn(fixed, name) && !Object.hasOwn(fixed, name.replace(/_FILE$/, "")),
  );
  return { ...devDefaults, ...Object.fromEntries(others), ...fixed };
}
