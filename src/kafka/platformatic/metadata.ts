// The topics and partitions that the brokers report.
import type { Admin, ClusterMetadata } from "@platformatic/kafka";
import { classify, KafkaFault } from "../faults.ts";

/**
 * Without cache and retries: a missing topic is an answer.
 * @throws KafkaFault for a missing topic
 */
export async function metadataFor(client: Admin, topics: string[], fresh = true): Promise<ClusterMetadata> {
  try {
    return await client.metadata({ topics: [...topics], ...(fresh && { forceUpdate: true, retries: 0 }) });
  } catch (error) {
    throw unknownTopic(error) ? new KafkaFault("unknown-topic", error) : error;
  }
}

/** The library hides the broker's code in a sentence. */
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
