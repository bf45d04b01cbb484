// Removes secrets from what is logged, in a copy. A secret is recognised by its name, at any depth, and in texts by its
// form (a JWT, a seal, an opaque token, a password in a URL) or by a name before a quote. Bytes are replaced by their
// number. This is a second line of defence: nothing in src logs a request or a record's value on purpose. It never
// throws and always ends: large and deep values are cut.

const censored = "[secret]";
const deepest = 8;
const mostNodes = 2000;
const longest = 20_000;

/** Endings of names that are always secret, whatever the schemas say. */
const always = [
  ...["password", "passphrase", "secret", "sealed", "challenge", "authorization", "cookies?", "credentials?"],
  ...["privateKey", "masterKey", "apiKey", "tokens?", "jwt", "jwe"],
];
/** Parameters of statements, as slonik's errors carry them. */
const parameters = new Set(["values", "parameters"]);
/** Private members of a JWK (RFC 7518, section 6). */
const jwkPrivate = new Set(["d", "p", "q", "dp", "dq", "qi", "oth", "k"]);

export type Redact = (value: unknown) => unknown;

/** @param names secret fields, besides those that always are */
export function makeRedact(names: readonly string[] = []): Redact {
  const ending = `[\\w-]*(?:${always.map(anySpelling).join("|")})`;
  const own = names.map(anySpelling);
  const inText = [ending, ...own.map((name) => `[\\w-]*${name}`)].join("|"); // in "\nlogin the n is a letter too
  const rules = {
    name: new RegExp(`^(?:${[ending, ...own].join("|")})$`, "i"),
    // As JSON, as JSON inside JSON, and as util.inspect shows it: "password":"…, \"password\":[…, password: '…
    named: new RegExp(`(?<![\\w-])(${inText})["'\\\\]*\\s*[:=]\\s*["'\`\\\\[{<].*$`, "is"),
  };
  return (value) => visit(value, { rules, left: { nodes: mostNodes }, above: [] });
}

/** access_token and Access-Token count as accessToken. */
const anySpelling = (name: string): string => name.replace(/(?<=[a-z])[A-Z]/g, "[_-]?$&");

interface Rules {
  name: RegExp;
  /** From a secret's name before a value to the end of the text: where the value ends is unknown. */
  named: RegExp;
}

function text(value: string, { named }: Rules): string {
  return (value.length > longest ? `${value.slice(0, longest)}[more]` : value)
    .replace(named, `$1: ${censored}`)
    .replace(/\beyJ[\w-]{8,}(?:\.[\w-]*){1,4}/g, censored) // the base64url of `{"`: a JWT or a seal, also one that was cut
    .replace(/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[\w-]{16,}/gi, `$1.${censored}`) // an id and its secret
    .replace(/(:\/\/[^\s:/@]+:)[^\s@]+@/g, `$1${censored}@`);
}

interface Visit {
  rules: Rules;
  /** Shared by the whole walk. */
  left: { nodes: number };
  above: readonly object[];
}

function visit(value: unknown, at: Visit): unknown {
  if (typeof value === "string") return text(value, at.rules);
  if (typeof value !== "object" || value === null) return typeof value === "function" ? "[function]" : value;
  at.left.nodes -= 1;
  if (at.above.includes(value)) return "[circular]";
  if (at.above.length >= deepest || at.left.nodes < 0) return "[more]";
  const within = { ...at, above: [...at.above, value] };
  try {
    return visitObject(value, within);
  } catch {
    return "[unreadable]"; // a getter or a toJSON that throws
  }
}

function visitObject(value: object, at: Visit): unknown {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((each) => visit(each, at));
  if (value instanceof Error) return visitError(value, at);
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
  if ("toJSON" in value && typeof value.toJSON === "function") return visit(value.toJSON(), at);
  const isKey = typeof (value as { kty?: unknown }).kty === "string";
  return members(value, at, (name) => isKey && jwkPrivate.has(name));
}

function visitError(error: Error, at: Visit): object {
  const { name, message, stack, cause } = error;
  const { errors } = error as { errors?: unknown };
  return {
    type: error.constructor?.name ?? name,
    message: visit(message, at),
    stack: visit(stack, at),
    ...members(error, at, (member) => parameters.has(member)),
    ...(cause !== undefined && { cause: visit(cause, at) }),
    ...(Array.isArray(errors) && { errors: visit(errors, at) }),
  };
}

function members(value: object, at: Visit, isSecretHere: (name: string) => boolean): object {
  // An error's code comes from the system or PostgreSQL, even if a command has a secret of that name.
  const isCode = (name: string): boolean => name === "code" && value instanceof Error;
  return Object.fromEntries(
    Object.keys(value).map((name) => {
      const secret = isSecretHere(name) || (at.rules.name.test(name) && !isCode(name));
      return [name, secret ? censored : visit((value as Record<string, unknown>)[name], at)];
    }),
  );
}
