// The checks of one row of an import. Rows of the old service's table and lines of a file are first brought to the same
// fields. Names and e-mail addresses follow the rules of registration, so that whoever is imported can log in. A
// rejected row gets a reason for programs and a sentence for people, never its hash.
import { checkEmail, checkName } from "../../accounts/input.ts";
import { hashName } from "../../crypto/hash-names.ts";
import { storedForm } from "../../crypto/hash-spellings.ts";
import { hashAlgorithm } from "../../crypto/passwords.ts";
import type { ImportedUser } from "../../db/imports.ts";
import { asError } from "../../lib/errors.ts";
import { normalize } from "../../protocol/record-key.ts";

/** A row as its source gives it. */
export interface SourceRow {
  /** Its id, or its line. */
  position: number;
  /** Of a file: where the next line begins. */
  nextByte: number;
  /** Its fields by our names; or why it has none. */
  given: Readonly<Record<string, unknown>> | RowFault;
}

export type Reason =
  | "row-invalid"
  | "id-invalid"
  | "login-invalid"
  | "username-invalid"
  | "email-invalid"
  | "hash-missing"
  | "hash-unknown"
  | "hash-too-costly"
  | "role-unknown"
  | "id-taken"
  | "login-taken"
  | "email-taken";

export class RowFault extends Error {
  readonly reason: Reason;
  /** Of a hash that is not verified here. */
  readonly algorithm: string | undefined;

  constructor(reason: Reason, message: string, algorithm?: string) {
    super(message);
    this.reason = reason;
    this.algorithm = algorithm;
  }
}

/** A line of the file of rejects. */
export interface Reject {
  row: number;
  id?: unknown;
  login?: unknown;
  email?: unknown;
  reason: Reason;
  message: string;
  /** Of a hash that is not verified here. */
  algorithm?: string;
}

/** The user to create, unless another one has their id, login or e-mail address. */
export interface Candidate extends Omit<ImportedUser, "id"> {
  /** Null: the user gets a new one. */
  id: number | null;
  algorithm: string;
}

export type CheckedRow = { candidate: Candidate } | { reject: Reject };

export interface Roles {
  /** Those that exist here. */
  known: ReadonlySet<string>;
  /** Theirs in lower case -> ours; null: none. */
  names: ReadonlyMap<string, string | null>;
}

const fieldNames = [
  ...["id", "login", "username", "email", "hash", "confirmed", "banned", "roles", "createdAt"],
] as const;

export function checkRow({ position, given }: SourceRow, roles: Roles): CheckedRow {
  const fields = given instanceof RowFault ? {} : given;
  try {
    if (given instanceof RowFault) throw given;
    return { candidate: toCandidate(position, given, roles) };
  } catch (error) {
    if (error instanceof RowFault) return { reject: toReject({ position, ...fields }, error) };
    throw error;
  }
}

export function toReject(
  { position, id, login, email }: { position: number; id?: unknown; login?: unknown; email?: unknown },
  { reason, message, algorithm }: RowFault,
): Reject {
  const shown = { id: short(id), login: short(login), email: short(email) };
  const said = Object.entries(shown).filter(([, value]) => value !== undefined && value !== null);
  return { row: position, ...Object.fromEntries(said), reason, message, ...(algorithm && { algorithm }) };
}

/** A text that is no name is not repeated at length. */
function short(value: unknown): unknown {
  if (typeof value === "string") return value.length > 254 ? `${value.slice(0, 254)}...` : value;
  return typeof value === "number" ? value : undefined;
}

function toCandidate(position: number, given: Readonly<Record<string, unknown>>, roles: Roles): Candidate {
  const strange = Object.keys(given).find((name) => !(fieldNames as readonly string[]).includes(name));
  if (strange !== undefined)
    throw new RowFault("row-invalid", `there is no field ${strange}: the fields are ${fieldNames.join(", ")}`);
  const login = checkedName("login", given["login"]);
  const email = follow("email-invalid", () => checkEmail(readText("email", given["email"])));
  return {
    position,
    id: parseLetterId(given["id"]),
    login,
    loginKey: normalize(login),
    username: checkedName("username", given["username"] ?? login),
    email,
    emailKey: normalize(email),
    ...readHash(given["hash"]),
    confirmed: readBoolean("confirmed", given["confirmed"] ?? true),
    banned: readBoolean("banned", given["banned"] ?? false),
    roles: readRoles(given["roles"] ?? [], roles),
    createdAt: readTime(given["createdAt"] ?? null),
  };
}

function readText(field: "login" | "username" | "email", value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new RowFault(`${field}-invalid`, `${field} must be a text`);
}

function checkedName(field: "login" | "username", value: unknown): string {
  return follow(`${field}-invalid`, () => checkName(field, readText(field, value)));
}

/** The rules of registration, with a reason of ours. */
function follow<T>(reason: Reason, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new RowFault(reason, asError(error).message);
  }
}

function parseLetterId(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw new RowFault("id-invalid", "id must be a whole number from 1 to 2^53 - 1");
}

function readHash(value: unknown): { hash: string; algorithm: string } {
  if (value === undefined || value === null || value === "")
    throw new RowFault("hash-missing", "there is no password hash");
  const isObject = typeof value === "object" && !Array.isArray(value);
  const stored =
    typeof value === "string" || isObject ? storedForm(value as string | Readonly<Record<string, unknown>>) : undefined;
  const found = stored === undefined ? "unknown" : hashAlgorithm(stored);
  const name = hashName(value);
  if (found === "beyond")
    throw new RowFault("hash-too-costly", `the hash (${name}) costs more to verify than is allowed`, name);
  if (found === "unknown" || stored === undefined)
    throw new RowFault("hash-unknown", `a hash of this form (${name}) is not verified here`, name);
  return { hash: stored, algorithm: found.algorithm };
}

function readBoolean(field: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new RowFault("row-invalid", `${field} must be true or false`);
}

function readRoles(value: unknown, { known, names }: Roles): string[] {
  if (!Array.isArray(value) || !value.every((each): each is string => typeof each === "string"))
    throw new RowFault("row-invalid", "roles must be a list of texts");
  const ours = value.flatMap((theirs) => {
    const mapped = names.get(theirs.toLowerCase());
    return mapped === null ? [] : [mapped ?? theirs];
  });
  const unknown = ours.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new RowFault(
      "role-unknown",
      `there is no role ${short(unknown)} here (--role ${short(unknown)}=OURS, or none)`,
    );
  return [...new Set(ours)];
}

/** From -62135596800000 (year 1) to the year 9999. */
function readTime(value: unknown): number | null {
  if (value === null) return null;
  const time = typeof value === "string" ? Date.parse(value) : value;
  if (typeof time === "number" && Number.isInteger(time) && time >= -62_135_596_800_000 && time < 253_402_300_800_000)
    return time;
  throw new RowFault("row-invalid", "createdAt must be Unix ms or a time such as 2020-01-31T18:00:00Z");
}
