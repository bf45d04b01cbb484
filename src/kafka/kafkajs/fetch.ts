// Replaces kafkajs 2.2.4's decoding of fetch answers (fetch-response.ts, record-batch.ts): its own decoder unpacks
// every batch of an answer at once, without a bound, and trusts lengths and counts. Here each batch becomes one message
// that holds it undecoded, and is unpacked when its turn comes (consumer.ts). Pinned to kafkajs's version, like
// instances.ts.
import { createRequire } from "node:module";
import type { ISocketFactory } from "kafkajs";
import { firstVersion, type RawFetchedPartition, readFetchAnswer } from "../fetch-response.ts";
import { hideAborted, type RecordBatch, splitBatches } from "../record-batch.ts";
import type { Changes } from "./instances.ts";

/** A whole batch in the form of a kafkajs message. */
export interface BatchMessage {
  /** The batch's last offset. */
  offset: string;
  /** kafkajs drops control records. */
  isControlRecord: boolean;
  batch: RecordBatch;
}

const fetchKey = 1;
const require = createRequire(import.meta.url);

const literal = ".ipv6-literal.net";

/**
 * kafkajs splits a broker's address at the first colon, so an IPv6 address passes through it as a name without colons.
 */
export function withoutColons(broker: string): string {
  const [, address, port] = /^\[(.+)\]:(\d+)$/.exec(broker) ?? [];
  return address === undefined
    ? broker
    : `${address.replace(/^[^%]+/, (groups) => groups.replaceAll(":", "-")).replace("%", "s")}${literal}:${port}`;
}

/** The original address, for opening a socket. */
export function withColons(host: string): string {
  if (!host.endsWith(literal)) return host;
  const [address = "", zone] = host.slice(0, -literal.length).split(/s(.*)/); // no hexadecimal digit is an s
  return address.replaceAll("-", ":") + (zone === undefined ? "" : `%${zone}`);
}

/** kafkajs's own sockets, which also accept the results of withoutColons(). */
export function sockets(): ISocketFactory {
  const make = require("kafkajs/src/network/socketFactory") as () => ISocketFactory;
  const connect = make();
  return (asked) => connect({ ...asked, host: withColons(asked.host) });
}

/** A consumer that gets undecoded batches. */
export const undecodedFetches: Changes = {
  connection(made) {
    const send = made.send.bind(made);
    made.send = (asked) => {
      const { apiKey, apiVersion } = asked.request;
      if (apiKey !== fetchKey) return send(asked);
      if (apiVersion < firstVersion)
        return Promise.reject(new Error("brokers older than Kafka 0.11 are not read from"));
      const { response } = asked;
      const decode = async (bytes: Buffer) => answerOf(apiVersion, bytes);
      return send({ ...asked, response: { decode, parse: (answer) => response.parse(answer) } });
    };
  },
};

function answerOf(version: number, bytes: Buffer) {
  const { errorCode, sessionId, topics } = readFetchAnswer(version, bytes);
  const responses = topics.map(({ topic, partitions }) => ({
    topicName: topic,
    partitions: partitions.map(partitionOf),
  }));
  return { throttleTime: 0, errorCode, sessionId, responses };
}

function partitionOf(raw: RawFetchedPartition) {
  const { partition, errorCode, highWatermark, lastStableOffset, preferredReadReplica, aborted } = raw;
  const batches = splitBatches(raw.records, { from: -1n, end: highWatermark });
  hideAborted(batches, aborted);
  return {
    partition,
    errorCode,
    highWatermark: String(highWatermark),
    lastStableOffset: String(lastStableOffset),
    preferredReadReplica,
    abortedTransactions: [],
    messages: batches.map((batch): BatchMessage => {
      return { offset: String(batch.lastOffset), isControlRecord: batch.hidden, batch };
    }),
  };
}
