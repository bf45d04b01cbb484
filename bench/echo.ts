// The raw limit beside the engine: a request and its reply over Kafka with nothing between, by a bare driver (bare.ts)
// in two processes, `ask` and `answer`. The same bytes, headers and partitions as the engine's, the same acks, the same
// coalescing. Nothing is decoded, no offset is committed, and nobody keeps a deadline.
import { randomBytes } from "node:crypto";
import type { KafkaDriverName } from "../src/kafka/kafka.ts";
import { type Bare, openBare } from "./bare.ts";
import { answer, childOptions } from "./child.ts";
import { closedLoop, type Width } from "./measure.ts";

/** A request of the engine and its reply, as they were on the topics. */
export interface Shape {
  request: { bytes: string; headers: Record<string, string> };
  /** base64 */
  reply: { bytes: string; headers: Record<string, string> };
}

export interface EchoOptions {
  driver: KafkaDriverName;
  side: "ask" | "answer";
  brokers: string[];
  requests: string;
  replies: string;
  shape: Shape;
}

const correlationId = "kafka_correlationId";

async function answering({ send, consume }: Bare, { requests, replies, shape }: EchoOptions): Promise<void> {
  const value = Buffer.from(shape.reply.bytes, "base64");
  const own = Object.entries(shape.reply.headers).filter(([name]) => name !== correlationId);
  const headers = Object.fromEntries(own.map(([name, text]) => [name, Buffer.from(text)]));
  await consume(requests, correlationId, (id) =>
    send({ topic: replies, partition: 0, value, headers: { [correlationId]: id, ...headers } }),
  );
}

async function asking({ send, consume }: Bare, { requests, replies, shape }: EchoOptions) {
  const waiting = new Map<string, () => void>();
  const value = Buffer.from(shape.request.bytes, "base64");
  const random = Object.keys(shape.request.headers).filter(
    (name) => name === correlationId || name === "auth-idempotency-key",
  );
  await consume(replies, correlationId, (header) => {
    const id = String(header);
    waiting.get(id)?.();
    waiting.delete(id);
  });
  return () =>
    new Promise<void>((resolve) => {
      const headers: Record<string, string> = { ...shape.request.headers };
      for (const name of random) headers[name] = randomBytes(16).toString("base64url");
      waiting.set(headers[correlationId]!, resolve);
      send({ topic: requests, value, headers });
    });
}

const options = childOptions<EchoOptions>();
let ask: (() => Promise<void>) | undefined;
answer({
  async ready() {
    const bare = await openBare(options.driver, options.brokers);
    if (options.side === "answer") await answering(bare, options);
    else ask = await asking(bare, options);
  },
  run: (width: Width) => closedLoop(width, ask!),
});
