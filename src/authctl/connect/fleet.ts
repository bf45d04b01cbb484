// A connected fleet, as commands get it.
import type { AuthClient } from "../../client/types.ts";
import type { Config } from "../../config/read.ts";
import type { KafkaPort } from "../../kafka/kafka.ts";
import type { FleetTarget } from "./target.ts";

export interface Fleet {
  readonly client: AuthClient;
  readonly kafka: KafkaPort;
  readonly config: Config;
}

/** Connects, lets `use` speak to the fleet, and disconnects. @throws Unreachable, ConfigFault, and what `use` throws */
export type ReachFleet = <T>(target: FleetTarget, use: (fleet: Fleet) => Promise<T>) => Promise<T>;
