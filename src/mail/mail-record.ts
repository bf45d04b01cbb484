// Reads a record of auth.mail. Its content is untrusted, because others may write to the topic: only a valid address
// enters an envelope or a header, and a link is only mailed to the address that is sealed with it.
import type { Codec } from "../bus/avro/codec.ts";
import type { InRecord } from "../kafka/records.ts";
import { storedAddress } from "../protocol/email-addresses.ts";

export interface StoredMail {
  mailId: string;
  at: number;
  kind: string;
  to: string;
  locale: string;
  sealed: string;
}

/** Why a mail can never be sent: its record becomes a dead letter. */
export class UnsendableMail extends Error {
  override readonly name: string = "UnsendableMail";
}

/** A record that the fleet did not write. */
export class ForgedMail extends UnsendableMail {
  override readonly name = "ForgedMail";
}

/** @throws CodecFault */
export async function decodeMail(codec: Codec, { value }: InRecord): Promise<StoredMail> {
  return (await codec.decode("auth.Mail", value)) as StoredMail;
}

/** The mail with a valid address for the envelope. @throws UnsendableMail */
export function withCheckedAddress(mail: StoredMail): StoredMail {
  const to = storedAddress(mail.to);
  if (to === undefined) throw new UnsendableMail("its receiver is no e-mail address");
  return { ...mail, to };
}

/** @param open opens a seal to the fleet. @returns the sealed fields. @throws ForgedMail; what `open` throws */
export async function openMail(
  mail: StoredMail,
  open: (sealed: string) => Promise<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const inside = await open(mail.sealed);
  checkBound(mail, inside);
  return inside;
}

const bound = ["mailId", "at", "kind", "to", "locale"] as const;

/**
 * A seal belongs to one mail: every clear field of the record must also be in the seal. Otherwise whoever can write to
 * auth.mail could have another user's link mailed to themselves, from a mail's seal or a request's, which uses the same
 * key. @throws ForgedMail
 */
function checkBound(mail: StoredMail, inside: Record<string, unknown>): void {
  for (const name of bound)
    if (inside[name] !== String(mail[name])) throw new ForgedMail(`its seal is for another mail, or for none: ${name}`);
}
