// Authenticator apps: TOTP (RFC 6238) as all apps implement it - SHA-1, 6 digits, 30 s - over HOTP (RFC 4226), with
// node:crypto. Libraries only answer right or wrong; here the step of a right code is needed, because it and all
// earlier ones must never be accepted again. Knows no user and no database; the secret is passed as bytes.
import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from "node:crypto";

const stepSeconds = 30;
const digits = 6;
/**
 * Steps before and after the present one that are accepted: clocks differ, and typing takes time (RFC 6238, section
 * 5.2).
 */
const window = 1;
/** RFC 4226, section 4, R6: 160 bits. */
const secretBytes = 20;

export function makeTotpSecret(): Buffer {
  return randomBytes(secretBytes);
}

/** The code of a step. */
export function totpCode(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", createSecretKey(secret)).update(counter).digest();
  const offset = mac[mac.length - 1]! & 0x0f;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits).padStart(digits, "0");
}

/** @param now Unix ms */
export function totpStep(now: number): number {
  return Math.floor(now / 1000 / stepSeconds);
}

export type TotpJudgement = { step: number } | "wrong" | "replayed";

/**
 * Whether the code is that of a step near now and after `lastStep`. Every step of the window is compared, each in
 * constant time.
 * @param code as typed: blanks are ignored
 * @param lastStep the newest accepted step; 0: none
 */
export function judgeTotp(
  secret: Buffer,
  code: string,
  { now, lastStep }: { now: number; lastStep: number },
): TotpJudgement {
  const typed = code.replace(/\s/g, "");
  const presented = Buffer.from(/^\d{6}$/.test(typed) ? typed : "none  ");
  const present = totpStep(now);
  let found: number | undefined;
  for (let step = present - window; step <= present + window; step += 1) {
    const right = timingSafeEqual(Buffer.from(totpCode(secret, step)), presented);
    if (right && (found === undefined || step > lastStep)) found = step;
  }
  if (found === undefined) return "wrong";
  return found > lastStep ? { step: found } : "replayed";
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648, section 6, without padding: the form of a secret for typing. */
export function base32(bytes: Buffer): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(held >>> (bits - 5)) & 31];
    held &= 0xff;
  }
  return bits === 0 ? text : text + alphabet[(held << (5 - bits)) & 31];
}

/** The content of the QR code (the otpauth URI format of Google Authenticator's wiki, which all apps read). */
export function totpUri(secret: Buffer, { issuer, login }: { issuer: string; login: string }): string {
  const label = [issuer, login].map(encodeURIComponent).join(":");
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=${digits}&period=${stepSeconds}`;
}
