// Reads a record of auth.mail. Whoever can write to the topic can write anything there: nothing but an address comes
// into an envelope or a header, and a link goes only to the address that is sealed together with it.
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

/** Why a mail cannot be sent, now or later: its record becomes a dead letter. */
export class UnsendableMail extends Error {
  override readonly name: string = "UnsendableMail";
}

/** The same, of a record that the fleet did not write so. */
export class ForgedMail extends UnsendableMail {
  override readonly name = "ForgedMail";
}

/** @throws CodecFault */
export async function decodeMail(codec: Codec, { value }: InRecord): Promise<StoredMail> {
  return (await codec.decode("auth.Mail", value)) as StoredMail;
}

/** The mail with its address as it may stand in an envelope. @throws UnsendableMail */
export function withCheckedAddress(mail: StoredMail): StoredMail {
  const to = storedAddress(mail.to);
  if (to === undefined) throw new UnsendableMail("its receiver is no e-mail address");
  return { ...mail, to };
}

/** @param open opens a seal that is for the fleet. @returns what is sealed. @throws ForgedMail; what `open` throws */
export async function openSealed(
  mail: StoredMail,
  open: (sealed: string) => Promise<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const inside = await open(mail.sealed);
  checkBound(mail, inside);
  return inside;
}

const bound = ["mailId", "at", "kind", "to", "locale"] as const;

/**
 * A seal is for one mail: its record holds nothing in clear that does not stand in the seal as well. Else whoever can
 * write to auth.mail could have another user's link sent to themselves, out of a mail's seal or of a request's, which
 * is to the same key. @throws ForgedMail
 */
function checkBound(mail: StoredMail, inside: Record<string, unknown>): void {
  for (const name of bound)
    if (inside[name] !== String(mail[name])) throw new ForgedMail(`its seal is for another mail, or for none: ${name}`);
}
