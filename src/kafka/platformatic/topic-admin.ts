// Topics and their settings, through the library's Admin.
import { type Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import type { TopicSpec } from "../port.ts";
import { setForTopic, type TopicAdmin } from "../topics.ts";
import { metadataFor } from "./metadata.ts";

const resourceType = ConfigResourceTypes.TOPIC;

export function topicAdmin(admin: Admin): TopicAdmin {
  return {
    list: () => admin.listTopics(),
    async create(specs) {
      await Promise.all([...Map.groupBy(specs, ({ config }) => JSON.stringify(config)).values()].map(createAlike));
    },
    async leaders(names) {
      const { topics } = await metadataFor(admin, names);
      return new Map([...topics].map(([topic, { partitions }]) => [topic, partitions.map(({ leader }) => leader)]));
    },
    async grow(topics) {
      await admin.createPartitions({
        topics: topics.map(({ topic, partitions }) => ({ name: topic, count: partitions })),
      });
    },
    async configs(topics) {
      const described = await admin.describeConfigs({
        resources: topics.map((resourceName) => ({ resourceType, resourceName })),
      });
      return new Map(
        described.map(({ resourceName, configs }) => [
          resourceName,
          configs.map(({ name, value = null, configSource }) => ({ name, value, own: configSource === setForTopic })),
        ]),
      );
    },
    async configure(changes) {
      const configOperation = IncrementalAlterConfigOperationTypes.SET;
      await admin.incrementalAlterConfigs({
        resources: changes.map(({ topic, different }) => ({
          resourceType,
          resourceName: topic,
          configs: different.map(([name, value]) => ({ name, value, configOperation })),
        })),
      });
    },
  };

  async function createAlike(specs: TopicSpec[]): Promise<void> {
    await admin.createTopics({
      topics: specs.map(({ topic, partitions, replication }) => ({ topic, partitions, replicas: replication || -1 })),
      configs: Object.entries(specs[0]!.config).map(([name, value]) => ({ name, value })),
    });
  }
}
