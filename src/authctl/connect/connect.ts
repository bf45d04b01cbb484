// authctl's connection to a fleet: a requester like any other, with replies on auth.reply.authctl, and a port to Kafka.
// Promises, because an operator waits: whatever does not answer is named within reachMs, and closing takes at most
// closeMs.
import { ConfigFault } from "../../config/read.ts";
import { KafkaFault } from "../../kafka/faults.ts";
import { asError } from "../../lib/errors.ts";
import { settledWithin, withTimeout } from "../../lib/timeout.ts";
import { clientOf, kafkaOf } from "../../processes/parts.ts";
import { makeMetrics } from "../../runtime/metrics.ts";
import { Unreachable } from "../faults.ts";
import type { Fleet } from "./fleet.ts";
import { silentLog } from "./silent-log.ts";
import type { FleetTarget } from "./target.ts";

const name = "authctl";
const reachMs = 10_000;
const closeMs = 2000;

/** Connects, lets `use` speak to the fleet, and disconnects. @throws Unreachable, ConfigFault, and what `use` throws */
export async function withFleet<T>(target: FleetTarget, use: (fleet: Fleet) => Promise<T>): Promise<T> {
  const { config } = target;
  if (config.AUTH_REGISTRY_URL === undefined) throw new ConfigFault(["AUTH_REGISTRY_URL is not set"]);
  const kafka = kafkaOf(config, name, silentLog);
  const { client, close } = clientOf({ config, log: silentLog, metrics: makeMetrics({ process: "authctl" }) }, name);
  try {
    await reach({ client, kafka }, target);
    return await use({ client, kafka, config });
  } finally {
    await settledWithin(closeMs, () => Promise.allSettled([close(), kafka.close()]));
  }
}

/** The client alone would wait for Kafka indefinitely, as a service should; the ping fails at once. */
async function reach({ client, kafka }: Omit<Fleet, "config">, { config, advice }: FleetTarget): Promise<void> {
  const brokers = `Kafka (${config.AUTH_KAFKA_BROKERS?.join(",")})`;
  const late = `${brokers} does not answer within ${reachMs / 1000} s. ${advice}`;
  try {
    await withTimeout(Promise.all([kafka.ping(), client.ready()]), reachMs, () => new Unreachable(late));
  } catch (error) {
    if (error instanceof Unreachable) throw error;
    const { message } = asError(error);
    if (/authfleet migrate/.test(message)) throw new Unreachable(message); // all answer, and what they answer says what to do
    if (error instanceof KafkaFault) {
      throw new Unreachable(`${brokers} does not answer (${error.kind}): ${error.why}. ${advice}`);
    }
    throw new Unreachable(`${message}. ${advice}`);
  }
}
