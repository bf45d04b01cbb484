// What topics and partitions there are, as the brokers say it.
import type { Admin, ClusterMetadata } from "@platformatic/kafka";
import { classify, KafkaFault } from "../faults.ts";

/**
 * Without a cache and without retries: one that is not there is an answer.
 * @throws KafkaFault for a topic that is not there
 */
export async function metadataFor(client: Admin, topics: string[], fresh = true): Promise<ClusterMetadata> {
  try {
    return await client.metadata({ topics: [...topics], ...(fresh && { forceUpdate: true, retries: 0 }) });
  } catch (error) {
    throw unknownTopic(error) ? new KafkaFault("unknown-topic", error) : error;
  }
}

/** The library hides the broker's code behind a sentence. */
function unknownTopic(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Unknown topic ");
}

export async function knownPartitions(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    return (await metadataFor(admin, [topic])).topics.get(topic)?.partitionsCount;
  } catch (error) {
    if (classify(error) === "unknown-topic") return undefined;
    throw error;
  }
}
