// Mails as they stand on auth.mail, and what is sealed in them: opened as the fleet's own mailer opens it.
import { expect } from "@jest/globals";
import avsc from "avsc";
import { decodeProtectedHeader } from "jose";
import { openSeal, parseSealingKey, sealFor } from "../../src/bus/seal/seal.ts";
import { variables } from "../../src/config/variables.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { mailSchema } from "../../src/protocol/generated/schemas.ts";
import { quiet } from "./logger.ts";
import type { Seen } from "./mailbox.ts";
import type { TestFleet } from "./test-fleet.ts";

export interface StoredMail {
  mailId: string;
  at: number;
  kind: string;
  to: string;
  locale: string;
  sealed: string;
}

const mailType = avsc.Type.forSchema(mailSchema as unknown as avsc.Schema);

export const decodeMail = (record: Seen): StoredMail => mailType.fromBuffer(record.value!.subarray(5)) as StoredMail;

/** The record's value with other fields in it. */
export function reencoded(record: Seen, change: Partial<StoredMail>): Buffer {
  const head = record.value!.subarray(0, 5);
  return Buffer.concat([head, mailType.toBuffer({ ...decodeMail(record), ...change })]);
}

const isTo = (address: string, kind: string) => (record: Seen) => {
  const mail = decodeMail(record);
  return mail.to === address && mail.kind === kind;
};

/** The latest mail of the kind to the address; waits for one, or for as many as are wanted. */
export async function mailTo(fleet: TestFleet, address: string, kind: string, wanted = 1): Promise<StoredMail> {
  const found = await fleet.mails.count("auth.mail", wanted, isTo(address, kind));
  return decodeMail(found.at(-1)!);
}

export function mailsTo(fleet: TestFleet, address: string): string[] {
  return fleet.mails
    .all("auth.mail")
    .map(decodeMail)
    .filter(({ to }) => to === address)
    .map(({ kind }) => kind);
}

/**
 * What a mail has sealed beside the record's own fields, which must be the same in both. As the fleet's own mailer
 * opens it.
 */
export async function openMail(fleet: TestFleet, mail: StoredMail): Promise<Record<string, unknown>> {
  const { sealed, ...clear } = mail;
  const inside = await opened(fleet, sealed);
  const names = Object.keys(clear);
  expect(Object.fromEntries(names.map((name) => [name, inside[name]]))).toEqual(asText(clear));
  return Object.fromEntries(Object.entries(inside).filter(([name]) => !names.includes(name)));
}

const asText = (fields: object) =>
  Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, String(each)]));

/** Seals as whoever has the fleet's public key can. */
export async function sealedToFleet(fleet: TestFleet, fields: object): Promise<string> {
  const { jwks } = await fleet.client.request("auth.key.list", {});
  const { keys } = JSON.parse(jwks) as { keys: Record<string, string>[] };
  const { kid, kty, crv, x, y } = keys.find(({ use }) => use === "enc")!;
  return sealFor(fields, { ...parseSealingKey(JSON.stringify({ kty, crv, x, y })), thumbprint: kid! });
}

/** The record's value with other fields, sealed anew. @param secrets what the seal holds beside them */
export async function sealedAnew(
  fleet: TestFleet,
  record: Seen,
  { secrets, ...change }: Partial<StoredMail> & { secrets: object },
): Promise<Buffer> {
  const { sealed: _, ...clear } = { ...decodeMail(record), ...change };
  return reencoded(record, { ...change, sealed: await sealedToFleet(fleet, { ...secrets, ...clear }) });
}

async function opened(fleet: TestFleet, sealed: string): Promise<Record<string, unknown>> {
  const pool = await openPool({ url: fleet.env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(fleet.env["AUTH_MASTER_KEY"]!), quiet);
  const key = keys.keyring().opening(decodeProtectedHeader(sealed).kid!);
  keys.stop();
  await pool.end();
  return openSeal(sealed, key!);
}

/** The token in the latest mail of the kind to the address. */
export async function mailedToken(fleet: TestFleet, address: string, kind: string, wanted = 1): Promise<string> {
  return String((await openMail(fleet, await mailTo(fleet, address, kind, wanted)))["token"]);
}
