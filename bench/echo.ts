// The raw limit beside the engine: a request and its reply over Kafka with nothing between, by bare kafkajs in two processes, `ask` and
// `answer`. The same bytes, headers and partitions as the engine's, the same acks, the same coalescing (what is made in one tick or while
// a produce is in flight shares the next one). No offsets are committed, nothing is decoded, and nobody keeps a deadline.
import { randomBytes } from "node:crypto";
import driver, { type Consumer, type IHeaders, type Kafka, type Message, type Producer } from "kafkajs";
import { closeTimerTrap } from "../src/bus/kafka-traps.ts";
import { answer, childOptions } from "./child.ts";
import { closedLoop, type Width } from "./measure.ts";

/** A request of the engine and its reply, as they were on the topics. */
export interface Shape {
  request: { bytes: string; headers: Record<string, string> };
  /** base64 */
  reply: { bytes: string; headers: Record<string, string> };
}

export interface EchoOptions {
  side: "ask" | "answer";
  brokers: string[];
  requests: string;
  replies: string;
  shape: Shape;
}

const correlationId = "kafka_correlationId";

function coalescing(producer: Producer): (topic: string, message: Message) => void {
  let queue = new Map<string, Message[]>();
  let busy = false;
  const flush = async (): Promise<void> => {
    while (queue.size > 0) {
      const topicMessages = [...queue].map(([topic, messages]) => ({ topic, messages }));
      queue = new Map();
      await producer.sendBatch({ acks: -1, topicMessages });
    }
    busy = false;
  };
  return (topic, message) => {
    const messages = queue.get(topic);
    if (messages) messages.push(message);
    else queue.set(topic, [message]);
    if (busy) return;
    busy = true;
    setImmediate(() => void flush());
  };
}

async function connect(kafka: Kafka, topic: string, group: string) {
  const producer = kafka.producer({
    createPartitioner: driver.Partitioners.DefaultPartitioner,
    maxInFlightRequests: 1,
  });
  const consumer = kafka.consumer({ groupId: `${group}.${randomBytes(6).toString("hex")}`, maxWaitTimeInMs: 250 });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [topic] });
  return { send: coalescing(producer), consumer };
}

/** Resolves when the group is joined. */
function consume(consumer: Consumer, onMessage: (message: { headers?: IHeaders | undefined }) => void): Promise<void> {
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
  const eachBatch = async ({ batch }: { batch: { messages: { headers?: IHeaders | undefined }[] } }) => {
    for (const message of batch.messages) onMessage(message);
  };
  return consumer.run({ autoCommit: false, eachBatch }).then(() => joined);
}

async function answering(kafka: Kafka, { requests, replies, shape }: EchoOptions): Promise<void> {
  const { send, consumer } = await connect(kafka, requests, "echo");
  const value = Buffer.from(shape.reply.bytes, "base64");
  const own = Object.entries(shape.reply.headers).filter(([name]) => name !== correlationId);
  const headers = Object.fromEntries(own.map(([name, text]) => [name, Buffer.from(text)]));
  await consume(consumer, (message) => {
    const id = message.headers![correlationId]!;
    send(replies, { partition: 0, key: null, value, headers: { [correlationId]: id, ...headers } });
  });
}

async function asking(kafka: Kafka, { requests, replies, shape }: EchoOptions) {
  const { send, consumer } = await connect(kafka, replies, "ask");
  const waiting = new Map<string, () => void>();
  const value = Buffer.from(shape.request.bytes, "base64");
  const random = new Set(
    Object.keys(shape.request.headers).filter((name) => name === correlationId || name === "auth-idempotency-key"),
  );
  await consume(consumer, ({ headers }) => {
    const id = String(headers![correlationId]);
    waiting.get(id)?.();
    waiting.delete(id);
  });
  return () =>
    new Promise<void>((resolve) => {
      const headers: Record<string, string> = { ...shape.request.headers };
      for (const name of random) headers[name] = randomBytes(16).toString("base64url");
      waiting.set(headers[correlationId]!, resolve);
      send(requests, { key: null, value, headers });
    });
}

closeTimerTrap();
const options = childOptions<EchoOptions>();
const kafka = new driver.Kafka({ clientId: "echo", brokers: options.brokers, logLevel: driver.logLevel.NOTHING });
let ask: (() => Promise<void>) | undefined;
answer({
  async ready() {
    if (options.side === "answer") await answering(kafka, options);
    else ask = await asking(kafka, options);
  },
  run: (width: Width) => closedLoop(width, ask!),
});
