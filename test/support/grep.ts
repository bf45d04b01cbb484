// Looks for secrets in files, in every form in which they could have been left there. All forms of all secrets are
// looked for in one walk over the bytes: some thousand forms in 100 MB take about a second.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export interface Secret {
  name: string;
  value: string;
}

export interface Hit {
  file: string;
  secret: Secret;
  form: string;
}

interface Needle {
  secret: Secret;
  form: string;
  bytes: Buffer;
}

/** Below this many bytes a form would be found by chance. */
const shortest = 10;

/** The forms of a secret; those with the same bytes count once, under the first name. */
export function formsOf(value: string): Map<string, Buffer> {
  const bytes = Buffer.from(value);
  const json = inJson(value);
  const forms: [string, Buffer][] = [
    ["plain", bytes],
    ["json", Buffer.from(json)],
    ["json in json", Buffer.from(inJson(json))],
    [
      "ascii json",
      Buffer.from(json.replace(/[^ -~]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`)),
    ],
    ...encodings(bytes, ""),
    // What stands in a token is base64url already: its bytes are as good as the token.
    ...(isBase64url(value) ? ([["bytes", Buffer.from(value, "base64url")]] as [string, Buffer][]) : []),
    ...(isBase64url(value) ? encodings(Buffer.from(value, "base64url"), " of the bytes") : []),
  ];
  const seen = new Set<string>();
  return new Map(forms.filter(([, form]) => isNew(seen, form.toString("latin1"))));
}

const isNew = (seen: Set<string>, key: string): boolean => !seen.has(key) && seen.add(key).size > 0;
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
const isBase64url = (text: string): boolean => text.length >= 40 && /^[\w-]+$/.test(text);

function encodings(bytes: Buffer, of: string): [string, Buffer][] {
  const hex = bytes.toString("hex");
  return [
    [`hex${of}`, Buffer.from(hex)],
    [`HEX${of}`, Buffer.from(hex.toUpperCase())],
    ...[0, 1, 2].flatMap((shift): [string, Buffer][] => [
      [`base64, shifted by ${shift}${of}`, Buffer.from(shifted(bytes, shift, "base64"))],
      [`base64url, shifted by ${shift}${of}`, Buffer.from(shifted(bytes, shift, "base64url"))],
    ]),
  ];
}

/**
 * How the bytes look in base64 with `shift` other bytes before them: without the characters that others have a part in.
 */
function shifted(bytes: Buffer, shift: number, encoding: "base64" | "base64url"): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString(encoding);
  const whole = Math.floor(((shift + bytes.length) * 8) / 6);
  return text.slice(Math.ceil((shift * 8) / 6), whole);
}

/** @throws Error where a secret is too short to be looked for */
export function needlesOf(secrets: readonly Secret[]): Needle[] {
  const known = new Map(secrets.map((secret) => [secret.value, secret]));
  return [...known.values()].flatMap((secret) =>
    [...formsOf(secret.value)].map(([form, bytes]) => {
      if (bytes.length < shortest)
        throw new Error(`${secret.name} is too short to be looked for: give it ${shortest} bytes`);
      return { secret, form, bytes };
    }),
  );
}

/** Every form of a secret that stands in a file, once for each file. */
export function grep(files: readonly string[], secrets: readonly Secret[]): Hit[] {
  const look = lookFor(needlesOf(secrets));
  return files.flatMap((file) => [...look(read(file))].map(({ secret, form }) => ({ file, secret, form })));
}

/** A server at work removes files between their listing and their reading. */
function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/** A needle is found by its first four bytes; a bit for each possible three tells which places are worth a look. */
export function lookFor(needles: readonly Needle[]): (bytes: Buffer) => Set<Needle> {
  const byStart = new Map<number, Needle[]>();
  const starts = new Uint8Array(1 << 21);
  for (const needle of needles) {
    const start = needle.bytes.readUInt32LE(0);
    byStart.set(start, [...(byStart.get(start) ?? []), needle]);
    const three = start & 0xffffff;
    starts[three >> 3]! |= 1 << (three & 7);
  }
  return (bytes) => {
    const found = new Set<Needle>();
    let three = 0;
    // `at` is where the three bytes begin; the newest of them comes in from above.
    for (let at = -2; at + 4 <= bytes.length; at++) {
      three = (three >> 8) | (bytes[at + 2]! << 16);
      if (at < 0 || (starts[three >> 3]! & (1 << (three & 7))) === 0) continue;
      for (const needle of byStart.get(bytes.readUInt32LE(at)) ?? []) if (stands(needle, bytes, at)) found.add(needle);
    }
    return found;
  };
}

function stands({ bytes: needle }: Needle, bytes: Buffer, at: number): boolean {
  return at + needle.length <= bytes.length && bytes.compare(needle, 0, needle.length, at, at + needle.length) === 0;
}

/** All files below a folder that have something in them. */
export function filesBelow(folder: string, wanted: (path: string) => boolean = () => true): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => wanted(path) && (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0);
}
