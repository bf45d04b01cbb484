// A consumer group's commits, seen and removed as an operator would.
import driver, { type Admin } from "kafkajs";
import { openPatched } from "../../src/kafka/kafkajs/patches.ts";
import type { FleetAddresses } from "./fleet-addresses.ts";

/** kafkajs itself, whatever the fleet speaks with. */
export async function asked<T>({ env }: Pick<FleetAddresses, "env">, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const brokers = env["AUTH_KAFKA_BROKERS"]!.split(",");
  const admin = openPatched({ brokers, logLevel: driver.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await ask(admin);
  } finally {
    await admin.disconnect();
  }
}

/** A group that is gone starts at the earliest record. It must have no member. */
export async function forget(fleet: FleetAddresses, groups: string[]): Promise<void> {
  await asked(fleet, (admin) => admin.deleteGroups(groups.map((group) => fleet.prefix + group)));
}

/** The offsets the workers have committed, by partition; -1 where there is none yet. */
export async function committed(fleet: FleetAddresses, topic: string): Promise<number[]> {
  const [found] = await asked(fleet, (admin) =>
    admin.fetchOffsets({ groupId: `${fleet.prefix}auth`, topics: [fleet.prefix + topic] }),
  );
  return found!.partitions.sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
}
