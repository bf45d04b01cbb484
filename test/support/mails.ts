// Mails as they stand on auth.mail, and what is sealed in them: opened as the fleet's own mailer opens it.
import avsc from "avsc";
import { decodeProtectedHeader } from "jose";
import { openReply } from "../../src/bus/seal.ts";
import { openPool } from "../../src/db/pool.ts";
import { loadFleetKeys } from "../../src/fleet-keys.ts";
import { mailSchema } from "../../src/generated/schemas.ts";
import { variables } from "../../src/variables.ts";
import { quiet, type TestFleet } from "./fleet.ts";
import type { Seen } from "./mailbox.ts";

export interface StoredMail {
  mailId: string;
  kind: string;
  to: string;
  locale: string;
  sealed: string;
}

export const mailType = avsc.Type.forSchema(mailSchema as unknown as avsc.Schema);

export const decodeMail = (record: Seen): StoredMail => mailType.fromBuffer(record.value!.subarray(5)) as StoredMail;

/** The record's value with other fields in it. */
export function reencoded(record: Seen, change: Partial<StoredMail> & { at?: number }): Buffer {
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

/** As the fleet's own mailer opens it. */
export async function openMail(fleet: TestFleet, { sealed }: StoredMail): Promise<Record<string, unknown>> {
  const pool = await openPool({ url: fleet.env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(fleet.env["AUTH_MASTER_KEY"]!), quiet);
  const key = keys.keyring().opening(decodeProtectedHeader(sealed).kid!);
  keys.stop();
  await pool.end();
  return openReply(sealed, key!);
}

/** The token in the latest mail of the kind to the address. */
export async function mailedToken(fleet: TestFleet, address: string, kind: string, wanted = 1): Promise<string> {
  return String((await openMail(fleet, await mailTo(fleet, address, kind, wanted)))["token"]);
}
