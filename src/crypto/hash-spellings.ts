// The spellings in which services write one and the same password hash, each brought into the form that is stored here: PHC strings and
// passlib's as they are; those of Django and of Werkzeug (Flask); and an object of an algorithm and its parameters.
// Does not judge what a hash costs: passwords.ts does, of the stored form. Left out, because this service does not verify them: Firebase's own
// scrypt (it has a secret key), bcrypt over a digest (Django's bcrypt_sha256, passlib's bcrypt-sha256), unsalted and plain texts.

/** Undefined where the spelling is not known. */
export function storedForm(hash: string | Readonly<Record<string, unknown>>): string | undefined {
  if (typeof hash !== "string") return fromObject(hash);
  for (const [form, write] of spellings) {
    const match = form.exec(hash);
    if (match !== null) return write(...match.slice(1));
  }
  return undefined;
}

type Write = (...parts: string[]) => string | undefined;

const spellings: readonly (readonly [RegExp, Write])[] = [
  // PHC strings and passlib's. Django puts its own name of the algorithm before some of them.
  [/^(?:argon2)?(\$argon2(?:id|i|d)\$v=\d+\$.+)$/s, (text) => text],
  [/^(?:bcrypt\$)?(\$2[aby]\$.+)$/s, (text) => text],
  [/^(\$scrypt\$.+)$/s, (text) => text],
  [
    /^\$(pbkdf2(?:-sha1|-sha256|-sha512|))\$i=(\d+)(?:,l=\d+)?\$([^$]+)\$([^$]+)$/,
    (name, rounds, salt, tag) => `$${name === "pbkdf2-sha1" ? "pbkdf2" : name}$${rounds}$${salt}$${tag}`,
  ], // as the PHC's own text has it
  [/^(\$pbkdf2(?:-sha256|-sha512|)\$\d+\$.+)$/s, (text) => text],
  // Django: the salt is a text.
  [
    /^pbkdf2_(sha1|sha256|sha512)\$(\d+)\$([^$]+)\$([^$]+)$/,
    (digest, rounds, salt, tag) => pbkdf2Form(digest!, rounds!, { salt: Buffer.from(salt!), tag: base64(tag!) }),
  ],
  [
    /^scrypt\$(\d+)\$([^$]+)\$(\d+)\$(\d+)\$([^$]+)$/,
    (cost, salt, r, p, tag) =>
      scryptForm([Number(cost), Number(r), Number(p)], { salt: Buffer.from(salt!), tag: base64(tag!) }),
  ],
  // Werkzeug: the salt is a text, the hash hexadecimal.
  [
    /^pbkdf2:(sha1|sha256|sha512):(\d+)\$([^$]+)\$([0-9a-f]+)$/,
    (digest, rounds, salt, tag) =>
      pbkdf2Form(digest!, rounds!, { salt: Buffer.from(salt!), tag: Buffer.from(tag!, "hex") }),
  ],
  [
    /^scrypt:(\d+):(\d+):(\d+)\$([^$]+)\$([0-9a-f]+)$/,
    (cost, r, p, salt, tag) =>
      scryptForm([Number(cost), Number(r), Number(p)], { salt: Buffer.from(salt!), tag: Buffer.from(tag!, "hex") }),
  ],
];

interface Bytes {
  salt: Buffer;
  tag: Buffer;
}

function pbkdf2Form(digest: string, rounds: string | number, { salt, tag }: Bytes): string {
  return `$pbkdf2${digest === "sha1" ? "" : `-${digest}`}$${rounds}$${text(salt)}$${text(tag)}`;
}

function scryptForm([cost, r, p]: readonly [number, number, number], { salt, tag }: Bytes): string | undefined {
  const ln = Math.log2(cost);
  return Number.isInteger(ln) ? `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(tag)}` : undefined;
}

type Given = Readonly<Record<string, unknown>>;

/** By the object's `algorithm`; bcrypt's own text holds everything already. */
const fromBytes = new Map<string, (given: Given, bytes: Bytes) => string | undefined>([
  ...["argon2id", "argon2i", "argon2d"].map(
    (name) => [name, (given: Given, bytes: Bytes) => argon2Form(name, given, bytes)] as const,
  ),
  [
    "scrypt",
    ({ N, r, p }, bytes) =>
      areNumbers(N, r, p) ? scryptForm([N as number, r as number, p as number], bytes) : undefined,
  ],
  [
    "pbkdf2",
    ({ digest, rounds }, bytes) =>
      areNumbers(rounds) && /^sha(1|256|512)$/.test(String(digest))
        ? pbkdf2Form(String(digest), rounds as number, bytes)
        : undefined,
  ],
]);

function argon2Form(name: string, { memoryKiB, time, parallelism }: Given, { salt, tag }: Bytes): string | undefined {
  if (!areNumbers(memoryKiB, time, parallelism)) return undefined;
  return `$${name}$v=19$m=${memoryKiB},t=${time},p=${parallelism}$${text(salt)}$${text(tag)}`;
}

/** Names and parameters as docs/operations.md lists them. */
function fromObject(given: Given): string | undefined {
  const { algorithm, hash, salt, encoding = "base64" } = given;
  if (typeof hash !== "string") return undefined;
  if (algorithm === "bcrypt") return storedForm(hash);
  if (typeof salt !== "string" || (encoding !== "base64" && encoding !== "hex")) return undefined;
  return fromBytes.get(String(algorithm))?.(given, {
    salt: Buffer.from(salt, encoding),
    tag: Buffer.from(hash, encoding),
  });
}

const areNumbers = (...values: unknown[]): boolean => values.every(Number.isSafeInteger);
const base64 = (encoded: string): Buffer => Buffer.from(encoded, "base64");
const text = (raw: Buffer): string => raw.toString("base64").replaceAll("=", "");
