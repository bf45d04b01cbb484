// The port, with the driver that the settings name. Only that driver is ever loaded, at the first use. Here and in
// supervisor.ts is what both drivers need: faults as KafkaFault, consumers that are rebuilt, and a bound on every
// close.
import { createRequire } from "node:module";
import { systemClock } from "../lib/clock.ts";
import { settledWithin } from "../lib/timeout.ts";
import { makeCountedWarnings } from "../runtime/counted-warnings.ts";
import type { Logger } from "../runtime/log.ts";
import type { Consumer, ConsumerInstance } from "./consumer-instance.ts";
import { againWhileUnavailable, guarded } from "./faults.ts";
import type { ConsumeOptions, Consumption, KafkaDriver, KafkaPort, KafkaSettings } from "./port.ts";
import type { UnreadableRecords } from "./records.ts";
import { type Bounds, closeBoundMs, Supervisor } from "./supervisor.ts";

export type {
  ConsumeOptions,
  Consumption,
  FetchLimits,
  KafkaPort,
  KafkaSettings,
  TopicSpec,
  TopicState,
} from "./port.ts";

export type KafkaDriverName = NonNullable<KafkaSettings["driver"]>;

type OpenDriver = (settings: KafkaSettings, log: Logger) => KafkaDriver;

const drivers: Record<KafkaDriverName, () => Promise<OpenDriver>> = {
  kafkajs: async () => (await import("./kafkajs/driver.ts")).openKafkajs,
  platformatic: async () => (await import("./platformatic/driver.ts")).openPlatformatic,
};

export function isDriverName(name: string): name is KafkaDriverName {
  return Object.hasOwn(drivers, name);
}

/** Installations of the client alone have the second driver only if they installed it themselves. */
function checkInstalled(name: KafkaDriverName): void {
  if (name === "kafkajs") return;
  try {
    createRequire(import.meta.url).resolve("@platformatic/kafka");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") return; // it is installed, but not for require()
    throw new Error(`the driver ${name} needs a package: run \`npm install @platformatic/kafka\``);
  }
}

/**
 * Connects lazily; nothing is sent before the first call.
 * @throws Error where the driver is not installed
 */
export function connectKafka(settings: KafkaSettings, log: Logger): KafkaPort {
  const name = settings.driver ?? "kafkajs";
  checkInstalled(name);
  const load = drivers[name];
  return portOver(async () => (await load())(settings, log), log, { passedOver: settings.passedOver });
}

interface PortOptions extends Partial<Bounds>, Pick<KafkaSettings, "passedOver"> {}

/** @param open called once, at the first use */
export function portOver(
  open: () => Promise<KafkaDriver>,
  log: Logger,
  { passedOver, ...bounds }: PortOptions = {},
): KafkaPort {
  const warnings = makeCountedWarnings(log);
  let opened: Promise<KafkaDriver> | undefined;
  const driver = (): Promise<KafkaDriver> => {
    opened ??= open();
    return opened;
  };
  const consumptions: Consumption[] = [];
  const reachable = (): Promise<boolean> =>
    driver()
      .then((it) => it.ping())
      .then(
        () => true,
        () => false,
      );

  const tell = ({ topic, partition, first, last, reason, message }: UnreadableRecords): void => {
    const place = { topic, partition, first: String(first), last: String(last) };
    warnings.warn(`${topic}: ${reason}`, place, `records are passed over: ${message}`);
  };

  return {
    produce: (records) => guarded(async () => (await driver()).produce(records)),
    consume(asked) {
      const options: ConsumeOptions = {
        ...asked,
        onUnreadable(records, highWatermark) {
          tell(records);
          passedOver?.(records);
          asked.onUnreadable?.(records, highWatermark);
        },
      };
      const build = (instance: ConsumerInstance) => buildWith(driver(), options, instance);
      const consumption = new Supervisor({ options, log, monotonic: systemClock.monotonic, build, reachable, bounds });
      consumptions.push(consumption);
      return consumption;
    },
    partitionsOf: (topic) => guarded(async () => (await driver()).partitionsOf(topic)),
    ensureTopics: (specs) => guarded(async () => (await driver()).ensureTopics(specs)),
    describeTopics: (topics) => guarded(async () => (await driver()).describeTopics(topics)),
    committedOffsets: (group, topics) => guarded(async () => (await driver()).committedOffsets(group, topics)),
    // A broker that has just become a partition's leader may not know it yet, although the metadata says so.
    endOffsets: (topic) => guarded(() => againWhileUnavailable(async () => (await driver()).endOffsets(topic))),
    ping: () => guarded(async () => (await driver()).ping()),
    async close() {
      const inTime = await settledWithin(bounds.closeMs ?? closeBoundMs, async () => {
        await Promise.all([
          ...consumptions.map((consumption) => consumption.close()),
          opened?.then((it) => it.close()),
        ]);
      });
      if (!inTime)
        log.warn({ bound: bounds.closeMs ?? closeBoundMs }, "the connections to Kafka did not close in time");
    },
  };
}

/** A consumer of a driver that may still be loading; before it has joined, only close() has an effect. */
function buildWith(driver: Promise<KafkaDriver>, options: ConsumeOptions, instance: ConsumerInstance): Consumer {
  let made: Consumer | undefined;
  const making = driver.then((it) => {
    if (!instance.over.aborted) made = it.consumer(options, instance);
  });
  making.catch(instance.fail);
  return {
    commit: async (offsets) => made?.commit(offsets),
    pause: (partition) => made?.pause(partition),
    resume: (partition) => made?.resume(partition),
    async close() {
      await making;
      await made?.close();
    },
  };
}
