// Ids of sessions, events and tokens: UUIDs of version 7 (RFC 9562, 5.7), which begin with the time, so that rows made
// together lie together in an index. An id is no secret: 74 random bits make it unique, a token's secret stands beside
// it. Two ids of one millisecond are in no order.
import { randomBytes } from "node:crypto";
import type { Clock } from "../lib/clock.ts";

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A new id in canonical text. */
export function uuidv7(clock: Clock): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(clock.now(), 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Whether a text is a UUID of any version in canonical form: lower case only, because ids are compared as texts. */
export function isUuid(text: string): boolean {
  return form.test(text);
}
