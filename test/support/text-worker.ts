// A worker's way of a request from its bytes to its reply, in this process. A file that imports it has handlers on a
// database of their own from its first test on.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "@jest/globals";
import avsc from "avsc";
import { Codec } from "../../src/bus/avro/codec.ts";
import type { BusCommand, Call } from "../../src/bus/command.ts";
import { type Executed, makeExecute } from "../../src/bus/execute.ts";
import { busNames } from "../../src/protocol/bus-names.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { type HandlerHarness, handlerHarness } from "./handlers.ts";
import { quiet } from "./logger.ts";
import type { Case, Fields } from "./text-cases.ts";

export let harness: HandlerHarness;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true });
}, 60_000);
afterAll(() => harness.close());

const replyTypes = new Map<string, avsc.Type>();

/** The worker's way of a request from its bytes to its reply, on the real handlers and database. */
export function worker(change: (command: BusCommand) => BusCommand = (command) => command) {
  const codecs = new Map(
    Object.entries(commandSchemas).map(([topic, { request, reply }]) => {
      const subjects = { [`${topic}-value`]: request, [`${reply.namespace}.${reply.name}`]: reply };
      return [topic, new Codec({ idOf: async () => 1, versionOf: async () => request }, subjects)];
    }),
  );
  return async ({ topic }: Pick<Case, "topic">, value: Buffer): Promise<Executed & { refusal: Fields | undefined }> => {
    const codec = codecs.get(topic)!;
    await codec.warm();
    const execute = makeExecute({
      protocol: { names: busNames },
      codec,
      lanes: harness.lanes,
      log: quiet,
      monotonic: () => performance.now(),
      sealsEndBetween: () => [0, Number.POSITIVE_INFINITY],
      openingKey: () => undefined,
      requireSealed: false,
      isTransient: () => false,
    });
    const reply = { topic: "auth.reply.test", partition: undefined, correlationId: undefined };
    const headers = { reply, idempotencyKey: randomBytes(16), callerKey: undefined } as unknown as Call["headers"];
    const record = { topic, partition: 0, offset: 0n, timestamp: 0, key: null, value, headers: {} };
    const call = { topic, headers, recordedAt: Date.now(), deadline: performance.now() + 30_000 };
    const done = await execute(record, change(harness.commands.get(topic)!), call, false);
    return { ...done, refusal: refusalIn(topic, done.reply.value!) };
  };
}

function refusalIn(topic: string, value: Buffer): Fields | undefined {
  const { reply } = commandSchemas[topic as keyof typeof commandSchemas];
  const type = replyTypes.get(topic) ?? avsc.Type.forSchema(reply as unknown as avsc.Schema);
  replyTypes.set(topic, type);
  return ((type.fromBuffer(value.subarray(5)) as Fields)["outcome"] as Fields)["auth.Refusal"] as Fields | undefined;
}
