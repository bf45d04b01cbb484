// Converts the spellings of a password hash into the one form that is stored: PHC strings and passlib's, whatever the
// order of parameters and the padding of base64; those of Django, Werkzeug (Flask) and lambdaworks' scrypt (Spring);
// with or without a scheme's name in braces; and objects of an algorithm and its parameters. passwords.ts checks the
// cost of the result. Not converted, because this service cannot verify them: Firebase's scrypt (it has a secret key),
// bcrypt over a digest (Django's bcrypt_sha256, passlib's bcrypt-sha256), unsalted hashes and plain text; hash-names.ts
// names them.

/** Undefined where the spelling is unknown. */
export function storedForm(hash: string | Readonly<Record<string, unknown>>): string | undefined {
  if (typeof hash !== "string") return fromObject(hash);
  const bare = hash.replace(/^\{[\w.@-]{1,40}\}(?=\$)/, ""); // {argon2}, {CRYPT}: of Spring, LDAP and Dovecot
  for (const [form, write] of spellings) {
    const match = form.exec(bare);
    if (match !== null) return write(...match.slice(1));
  }
  return undefined;
}

type Write = (...parts: string[]) => string | undefined;

const spellings: readonly (readonly [RegExp, Write])[] = [
  // PHC strings and passlib's. Django prefixes some of them with its own name of the algorithm.
  [/^(?:argon2)?\$(argon2(?:id|i|d))(?:\$v=(\d+))?\$([^$]+)\$([^$]+)\$([^$]+)$/, argon2Phc],
  [/^(?:bcrypt\$)?(\$2[aby]\$.+)$/s, (text) => text],
  [/^\$(scrypt)\$([^$]+)\$([^$]+)\$([^$]+)$/, scryptPhc],
  [/^\$(?:s0\$)?([0-9a-f]{1,4})([0-9a-f]{2})([0-9a-f]{2})\$([^$]+)\$([^$]+)$/, lambdaworks],
  [
    /^\$(pbkdf2(?:-sha1|-sha256|-sha512|))\$i=(\d+)(?:,l=\d+)?\$([^$]+)\$([^$]+)$/,
    (name, rounds, salt, tag) => `$${name === "pbkdf2-sha1" ? "pbkdf2" : name}$${rounds}$${plain(salt)}$${plain(tag)}`,
  ], // as the PHC's own text has it
  [
    /^\$(pbkdf2(?:-sha256|-sha512|))\$(\d+)\$([^$]+)\$([^$]+)$/,
    (name, rounds, salt, tag) => `$${name}$${rounds}$${plain(salt)}$${plain(tag)}`,
  ],
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

/** Without padding, and in base64's standard alphabet. */
const plain = (encoded = ""): string => encoded.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/");

/** `m=64,t=2` as a map; undefined where a name is repeated or has no value. */
function parametersOf(text: string): Map<string, string> | undefined {
  const pairs = text.split(",").map((each) => /^([a-z]+)=(.+)$/.exec(each)?.slice(1) as [string, string] | undefined);
  const found = new Map(pairs.filter((pair) => pair !== undefined));
  return found.size === pairs.length ? found : undefined;
}

/** A missing version means 16, which had no field for it. */
function argon2Phc(name = "", version = "16", parameters = "", salt = "", tag = ""): string | undefined {
  const given = parametersOf(parameters);
  const [m, t, p] = ["m", "t", "p"].map((each) => given?.get(each));
  const strange = [...(given?.keys() ?? [])].some((each) => !["m", "t", "p", "keyid", "data"].includes(each));
  if (m === undefined || t === undefined || p === undefined || strange) return undefined;
  const more = ["keyid", "data"].flatMap((each) => {
    const value = given?.get(each);
    return value === undefined ? [] : [`,${each}=${plain(value)}`];
  });
  return `$${name}$v=${version}$m=${m},t=${t},p=${p}${more.join("")}$${plain(salt)}$${plain(tag)}`;
}

function scryptPhc(_name = "", parameters = "", salt = "", tag = ""): string | undefined {
  const given = parametersOf(parameters);
  const [ln, r, p] = ["ln", "r", "p"].map((each) => given?.get(each));
  if (given?.size !== 3 || ln === undefined || r === undefined || p === undefined) return undefined;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${plain(salt)}$${plain(tag)}`;
}

/** N, r and p in one number: the exponent of N, then two digits each for r and p. */
function lambdaworks(ln = "", r = "", p = "", salt = "", tag = ""): string | undefined {
  const [exponent, blockSize, lanes] = [ln, r, p].map((digits) => Number.parseInt(digits, 16));
  return `$scrypt$ln=${exponent},r=${blockSize},p=${lanes}$${plain(salt)}$${plain(tag)}`;
}

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

/** By the object's `algorithm`; a bcrypt text is complete by itself. */
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
