// Device tokens: what a device that its user was let in from brings along, so that it is told from others before
// anything else is known. A token opens nothing: it gives a place in queues that others do not get (bus/), and lets
// attempts be counted by the device (command/attempts.ts).
//
//   d1.<base64url of: data key's id (4 bytes), day (2), epoch (4), id (16)>.<base64url of HMAC-SHA-256>
//
// All numbers are big-endian; days are counted from 1970-01-01 UTC. The HMAC is under the data key of that id, over
// everything before the last dot, the dot, and the record key of the login that let the user in (an address in the form
// in which it is stored, whichever way its domain was typed): so it holds for that record key alone, and is checked
// with nothing but a key that the process has. Of the epoch the account decides (db/attempts.ts).
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { addressKey } from "../protocol/email-addresses.ts";
import type { DataKeys } from "./envelope.ts";

interface DeviceClaims {
  /** Random, 16 bytes: the same as long as the token is renewed. */
  id: Buffer;
  /** How often the account's password had been set anew by a link. */
  epoch: number;
}

export interface DeviceTokens {
  /** @param now Unix ms. @param id of a token that is renewed; default: a new one */
  issue(given: { recordKey: string; epoch: number; id?: Buffer | undefined; now: number }): string;
  /**
   * What the token says, where it holds for this record key at this time; never throws, whatever the text is.
   * @param at Unix ms
   */
  verify(token: string, at: { recordKey: string; at: number }): DeviceClaims | undefined;
}

const form = /^(d1\.([A-Za-z0-9_-]{35}))\.([A-Za-z0-9_-]{43})$/;
const dayMs = 86_400_000;
/** Clocks differ: a token may be of tomorrow. */
const ahead = 1;

/** @param ttlMs how long a token is good, in whole days */
export function makeDeviceTokens(dataKeys: () => DataKeys, ttlMs: number): DeviceTokens {
  const life = Math.floor(ttlMs / dayMs);
  return {
    issue({ recordKey, epoch, id = randomBytes(16), now }) {
      const { id: keyId, key } = dataKeys().current("device");
      const head = Buffer.alloc(26);
      head.writeUInt32BE(keyId, 0);
      head.writeUInt16BE(Math.floor(now / dayMs), 4);
      head.writeUInt32BE(epoch, 6);
      id.copy(head, 10);
      const text = `d1.${head.toString("base64url")}`;
      return `${text}.${macOf(key, text, recordKey)}`;
    },
    verify(token, { recordKey, at }) {
      const [, text, encoded, mac] = form.exec(token) ?? [];
      if (text === undefined || encoded === undefined || mac === undefined) return undefined;
      const head = Buffer.from(encoded, "base64url");
      const key = dataKeys().find("device", head.readUInt32BE(0));
      // As texts: what decodes to the same bytes and is written otherwise is another token.
      if (key === undefined || !timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(key.key, text, recordKey))))
        return undefined;
      const age = Math.floor(at / dayMs) - head.readUInt16BE(4);
      if (age < -ahead || age > life) return undefined;
      return { id: head.subarray(10), epoch: head.readUInt32BE(6) };
    },
  };
}

function macOf(key: Buffer, text: string, recordKey: string): string {
  const subject = recordKey.includes("@") ? addressKey(recordKey) : recordKey;
  return createHmac("sha256", key).update(`${text}.`).update(subject).digest("base64url");
}
