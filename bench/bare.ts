// The drivers as they come, for the echo: sending with the engine's coalescing (what is made in one tick or while a
// produce is in flight shares the next one), and reading new records in a group of its own. No offsets are committed,
// and nothing of src/bus is used but what makes a driver fit to run at all. Only the chosen driver is loaded.
import { randomBytes } from "node:crypto";
import type { KafkaDriverName } from "../src/kafka/kafka.ts";

export interface Message {
  topic: string;
  partition?: number;
  value: Buffer;
  headers: Record<string, string | Buffer>;
}

export interface Bare {
  send(message: Message): void;
  /** Resolves when records that come from now on are read. @param header of which the value is handed over */
  consume(topic: string, header: string, onRecord: (value: Buffer) => void): Promise<void>;
}

const bares: Record<KafkaDriverName, (brokers: string[]) => Promise<Bare>> = { kafkajs, platformatic };

export const openBare = (driver: KafkaDriverName, brokers: string[]): Promise<Bare> => bares[driver](brokers);

const maxWaitMs = 250;
const groupId = (): string => `echo.${randomBytes(6).toString("hex")}`;

function coalescing<T>(produce: (batch: T[]) => Promise<unknown>): (message: T) => void {
  let queue: T[] = [];
  let busy = false;
  const flush = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      await produce(batch);
    }
    busy = false;
  };
  return (message) => {
    queue.push(message);
    if (busy) return;
    busy = true;
    setImmediate(() => void flush());
  };
}

async function kafkajs(brokers: string[]): Promise<Bare> {
  const [{ default: driver }, { openPatched }] = await Promise.all([
    import("kafkajs"),
    import("../src/kafka/kafkajs/patches.ts"),
  ]);
  const kafka = openPatched({ clientId: "echo", brokers, logLevel: driver.logLevel.NOTHING });
  const producer = kafka.producer({
    createPartitioner: driver.Partitioners.DefaultPartitioner,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  return {
    send: coalescing((batch: Message[]) => {
      const topics = Map.groupBy(batch, ({ topic }) => topic);
      const topicMessages = [...topics].map(([topic, messages]) => ({
        topic,
        messages: messages.map(({ topic: _, ...message }) => ({ key: null, ...message })),
      }));
      return producer.sendBatch({ acks: -1, topicMessages });
    }),
    async consume(topic, header, onRecord) {
      const consumer = kafka.consumer({ groupId: groupId(), maxWaitTimeInMs: maxWaitMs });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic] });
      const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { headers } of batch.messages) onRecord(headers![header] as Buffer);
        },
      });
      await joined;
    },
  };
}

async function platformatic(brokers: string[]): Promise<Bare> {
  const { Consumer, MessagesStreamModes, ProduceAcks, Producer, stringDeserializer, stringSerializer } = await import(
    "@platformatic/kafka"
  );
  const base = { clientId: "echo", bootstrapBrokers: brokers };
  const producer = new Producer({ ...base, serializers: { headerKey: stringSerializer }, maxInflights: 1 });
  return {
    send: coalescing((messages: Message[]) =>
      producer.send({
        acks: ProduceAcks.ALL,
        messages: messages.map(({ headers, ...message }) => ({ ...message, headers: buffers(headers) })),
      }),
    ),
    async consume(topic, header, onRecord) {
      const consumer = new Consumer({
        ...base,
        groupId: groupId(),
        maxWaitTime: maxWaitMs,
        autocommit: false,
        deserializers: { headerKey: stringDeserializer },
      });
      const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.LATEST });
      const begun = new Promise<void>((resolve) => stream.once("offsets", () => resolve()));
      stream.on("data", ({ headers }) => onRecord(headers.get(header)!));
      await begun;
    },
  };
}

const buffers = (headers: Message["headers"]): Map<string, Buffer> =>
  new Map(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]));
