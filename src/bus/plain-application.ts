// An application of plain commands (plain-command.ts) with both ends: creates its topics and schemas, serves its
// commands and sends requests. A starting point: seals, stored answers, lanes and devices are added with the parts it
// is made of.
import { connectKafka, type KafkaSettings } from "../kafka/kafka.ts";
import { systemClock } from "../lib/clock.ts";
import { randomId } from "../lib/random-id.ts";
import type { Logger } from "../runtime/log.ts";
import { Codec } from "./avro/codec.ts";
import { connectRegistry, makeSchemaStore } from "./avro/schema-store.ts";
import { requestSubject } from "./command.ts";
import type { BusProtocol } from "./names.ts";
import { definePlainCommand, type PlainCommand, readPlainReply } from "./plain-command.ts";
import { Requester } from "./requester.ts";
import type { Responder } from "./responder.ts";
import { makeSender } from "./sender.ts";
import { serve } from "./serve.ts";

export interface PlainApplicationOptions {
  kafka: KafkaSettings;
  /** URL of a Confluent-compatible Schema Registry. */
  registry: string;
  protocol: BusProtocol;
  commands: readonly PlainCommand[];
  log: Logger;
}

export interface PlainApplication {
  /** Creates topics, including each service's reply topic, and registers schemas. May be called repeatedly. */
  setUp(services: readonly string[], partitions?: number): Promise<void>;
  /** Serves all commands in a consumer group of any size. @throws Error before setUp */
  serve(group: string): Promise<Responder>;
  /**
   * Sends a request as this service.
   * @throws Refusal with one of the application's codes
   */
  ask<T extends object>(service: string, topic: string, request: object, timeoutMs?: number): Promise<T>;
  close(): Promise<void>;
}

const drainMs = 5000;

export function openPlainApplication(options: PlainApplicationOptions): PlainApplication {
  const { protocol, log } = options;
  const { names } = protocol;
  const kafka = connectKafka(options.kafka, log);
  const registry = connectRegistry({ url: options.registry });
  const defined = options.commands.map((command) => definePlainCommand(names, command));
  const schemas = Object.assign({}, ...defined.map((each) => each.schemas)) as Record<string, object>;
  const codec = new Codec(makeSchemaStore([registry], systemClock.monotonic), schemas, names.setupCommand);
  const closing: (() => Promise<void>)[] = [];
  const requesters = new Map<string, Requester>();

  return {
    async setUp(services, partitions = 6) {
      const topics = [
        ...options.commands.map(({ topic }) => topic),
        ...services.map((service) => names.replyTopicPrefix + service),
        names.deadLetters.topic,
      ];
      const config = { "message.timestamp.type": "LogAppendTime" };
      await kafka.ensureTopics(topics.map((topic) => ({ topic, partitions, replication: 1, config })));
      for (const [subject, schema] of Object.entries(schemas)) await registry.register(subject, schema, "BACKWARD");
    },
    async serve(group) {
      await codec.warm();
      const consumer = serve({ protocol, kafka, codec, commands: defined.map(({ command }) => command), group, log });
      closing.push(() => consumer.close(drainMs));
      await consumer.joined;
      return consumer;
    },
    async ask<T extends object>(service: string, topic: string, request: object, timeoutMs = 30_000): Promise<T> {
      const found = defined.find(({ command }) => command.topic === topic);
      if (found === undefined) throw new TypeError(`There is no command ${topic}.`);
      const known = requesters.get(service) ?? requester(service);
      requesters.set(service, known);
      await Promise.all([codec.warm(), known.ready()]);
      return known.request<T>({
        topic,
        key: undefined,
        value: codec.encode(requestSubject(topic), request),
        replyKey: undefined,
        idempotencyKey: randomId(),
        replySecret: undefined,
        timeoutMs,
        read: readPlainReply<T>({ codec, names }, found.command),
      });
    },
    async close() {
      await Promise.all(closing.map((close) => close()));
      await kafka.close();
    },
  };

  function requester(name: string): Requester {
    const made = new Requester({
      ...{ protocol, kafka, name, log },
      ...{ now: systemClock.now, monotonic: systemClock.monotonic },
      sender: makeSender(kafka),
      whenNoReplyTopic: `Run ${names.setupCommand} for the service ${name}.`,
      topics: new Set(defined.map(({ command }) => command.topic)),
      late: () => undefined,
      ignored: () => undefined,
    });
    closing.push(() => made.close(drainMs));
    return made;
  }
}
