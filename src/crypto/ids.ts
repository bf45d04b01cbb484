// Ids of sessions, events and tokens: UUIDs of version 7 (RFC 9562, 5.7). They begin with the time, so rows made
// together are close in an index. An id is unique by 74 random bits but no secret; a token has a secret of its own. Two
// ids of one millisecond are not ordered.
import { randomBytes } from "node:crypto";
import type { Clock } from "../lib/clock.ts";

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A new id in canonical form. */
export function uuidv7(clock: Clock): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(clock.now(), 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Whether a text is a UUID of any version in canonical form: lower case only, because ids are compared as text. */
export function isUuid(text: string): boolean {
  return form.test(text);
}
