// Records with headers of all kinds, and what is read from them: for the tests of the headers.
import * as headers from "../../src/bus/headers.ts";
import { variables } from "../../src/config/variables.ts";
import type { InRecord } from "../../src/kafka/records.ts";
import { busNames } from "../../src/protocol/bus-names.ts";

const { sharedHeaders } = headers;
export const names = { ...sharedHeaders, ...busNames.headers };
export const readHeaders = (of: InRecord, allowedReplyTopics: RegExp) =>
  headers.readHeaders(of, { names: busNames, allowedReplyTopics });
export const recordKey = (of: InRecord) => headers.identityKey(of, busNames);
export const replyHeaders = (to: headers.ReplyAddress, outcome: string, more: object = {}) =>
  headers.replyHeaders(to, { traceparent: undefined, tracestate: undefined, ...more, outcome, names: busNames });

export const allowed = new RegExp(variables.AUTH_REPLY_TOPICS.default as string);
export const at = 1_790_000_000_000;
export const bytes = (...values: number[]): Buffer => Buffer.from(values);
export const id = "0123456789abcdefghijkl"; // 22 characters: as many bits as 128 random ones need
export const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

export type Headers = Record<string, Buffer | string | (Buffer | string)[]>;

export function record(headers: Headers, more: Partial<InRecord> = {}): InRecord {
  const raw = Object.entries({ kafka_replyTopic: "auth.reply.test", ...headers }).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map((each) => Buffer.from(each)) : Buffer.from(value),
  ]);
  const place = { topic: "auth.session.login", partition: 3, offset: 41n, timestamp: at };
  return { ...place, key: null, value: null, headers: Object.fromEntries(raw) as InRecord["headers"], ...more };
}

/** The readRequest; fails where the headers cannot be served. */
export function readRequest(headers: Headers, more: Partial<InRecord> = {}) {
  const read = readHeaders(record(headers, more), allowed);
  if ("fault" in read) throw new Error(`${read.header}: ${read.fault}`);
  return read;
}

export function faultOf(headers: Headers) {
  const read = readHeaders(record(headers), allowed);
  return "fault" in read ? read : undefined;
}
