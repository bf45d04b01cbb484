// Device tokens: a device presents one to be recognised before anything else about the request is known. A token
// authorises nothing: it reserves places in queues (bus/) and lets attempts be counted by device (command/attempts.ts).
//
//   d1.<base64url of: data key's id (4 bytes), day (2), epoch (4), id (16)>.<base64url of HMAC-SHA-256>
//
// All numbers are big-endian; days are counted from 1970-01-01 UTC. The HMAC is computed with the data key of that id
// over everything before the last dot, the dot, and the record key of the login that issued the token (an address in
// the form in which it is stored). So it is valid for that record key alone, and a process can check it with nothing
// but a key in memory. Whether the epoch is still valid, the account decides (db/attempts.ts).
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { addressKey } from "../protocol/email-addresses.ts";
import type { DataKeys } from "./envelope.ts";

interface DeviceClaims {
  /** Random, 16 bytes; renewing the token keeps it. */
  id: Buffer;
  /** How often the account's password had been reset by a link. */
  epoch: number;
}

export interface DeviceTokens {
  /** @param now Unix ms. @param id of a token that is renewed; default: a new one */
  issue(given: { recordKey: string; epoch: number; id?: Buffer | undefined; now: number }): string;
  /**
   * The claims of a token that is valid for this record key at this time. Never throws.
   * @param at Unix ms
   */
  verify(token: string, at: { recordKey: string; at: number }): DeviceClaims | undefined;
}

const form = /^(d1\.([A-Za-z0-9_-]{35}))\.([A-Za-z0-9_-]{43})$/;
const dayMs = 86_400_000;
/** Clocks differ: a token may be from tomorrow. */
const ahead = 1;

/** @param ttlMs the lifetime of a token, in whole days */
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
      // Compared as text, so that another encoding of the same bytes is not a valid token.
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
