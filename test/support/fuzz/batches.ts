// Puts records into batches as producers do, each uncompressed or packed by some codec, and between them batches that
// nobody may unpack, or whose lengths lie.
import driver, { type Producer } from "kafkajs";
import { openPatched } from "../../../src/kafka/kafkajs/patches.ts";
import {
  bomb,
  type Codec,
  everyCodec,
  type ForeignProducer,
  foreignProducer,
  packed,
  recordsBytes,
} from "../foreign-batches.ts";
import type { FuzzRecord } from "./draft.ts";
import type { Random } from "./random.ts";

export interface Sender {
  /** Records of one partition, in their order. @returns the offset of the first */
  send(records: FuzzRecord[]): Promise<bigint>;
  /** One that is to be passed over. @returns the offsets that it takes up */
  sendUnreadable(topic: string, partition: number): Promise<{ first: bigint; last: bigint; what: string }>;
  close(): Promise<void>;
}

export interface SenderDeps {
  random: Random;
  brokers: string[];
  /** Of topics on the broker. */
  prefix: string;
  /** Zero bytes that a bomb unpacks to. */
  bombBytes: number;
}

export async function makeSender({ random, brokers, prefix, bombBytes }: SenderDeps): Promise<Sender> {
  const foreign = await foreignProducer(brokers);
  const kafka = openPatched({ clientId: "fuzz", brokers, logLevel: driver.logLevel.NOTHING });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const bombs = new Map<Codec, Buffer>();
  return {
    async send(records) {
      const { topic, partition } = records[0]!;
      const codec = random.pick([undefined, ...everyCodec]);
      if (codec === undefined && records.every(isPlain)) return sendPlain(producer, prefix, records);
      const bytes = packed(codec ?? "gzip", recordsBytes(records));
      return foreign.send(prefix + topic, { codec: codec ?? "gzip", count: records.length, bytes, partition });
    },
    sendUnreadable: (topic, partition) => {
      const codec = random.pick(everyCodec);
      if (random.chance(0.5)) return sendLie(foreign, prefix, { topic, partition, codec });
      // snappy makes no more than 21 bytes of one: a batch that a broker takes by default is below the bound
      const usual = codec === "snappy" ? "zstd" : codec;
      const bytes = bombs.get(usual) ?? bomb(usual, bombBytes);
      bombs.set(usual, bytes);
      return sendAlone(foreign, prefix, { topic, partition, codec: usual, bytes, count: 1, what: `bomb: ${usual}` });
    },
    close: async () => void (await Promise.all([foreign.close(), producer.disconnect()])),
  };
}

/** What kafkajs can write by itself. */
const isPlain = ({ headers }: FuzzRecord): boolean => headers.every(([, value]) => value !== null);

async function sendPlain(producer: Producer, prefix: string, records: FuzzRecord[]): Promise<bigint> {
  const { topic, partition } = records[0]!;
  const messages = records.map(({ key, value, headers }) => ({
    partition,
    key,
    value,
    headers: Object.fromEntries(
      [...Map.groupBy(headers, ([name]) => name)].map(([name, given]) => [name, given.map(([, each]) => each!)]),
    ),
  }));
  const [answer] = await producer.send({ topic: prefix + topic, messages });
  return BigInt(answer!.baseOffset!);
}

interface Unreadable {
  topic: string;
  partition: number;
  codec: Codec;
}

function sendLie(foreign: ForeignProducer, prefix: string, to: Unreadable) {
  const lies = [{ size: 2 ** 31 - 1 }, { size: 3 }, { valueLength: -77 }][to.partition % 3]!;
  const bytes = packed(to.codec, recordsBytes([{ value: Buffer.alloc(0), lies }, { value: Buffer.from("behind") }]));
  return sendAlone(foreign, prefix, { ...to, bytes, count: 2, what: `lengths that lie: ${to.codec}` });
}

async function sendAlone(
  foreign: ForeignProducer,
  prefix: string,
  { topic, what, ...batch }: Unreadable & { bytes: Buffer; count: number; what: string },
) {
  const first = await foreign.send(prefix + topic, batch);
  return { first, last: first + BigInt(batch.count) - 1n, what };
}
