// The record key of a request: partition key and mailbox key at once (docs/protocol.md, Commands). The request's schema
// says which kind of key it has and which field it is made from:
//   login, email  the field, normalised with Unicode NFKC and lower case; none where it is empty (a passkey identifies
//                 its account)
//   token         the id of a one-time token, before its dot
//   session       the session id: claim sid of an access token, the id before the dot of a refresh token
//   user          the user id: claim sub of an access token (an operator token's is operator:<name>)
// A key has at most 1,024 bytes; a longer one counts as none. (Normalising can turn three bytes into 33.) Tokens are
// not verified here: a forged one fails in its handler, and a key only decides which requests wait for each other.

export interface RecordKeyRule {
  kind: string;
  field: string;
}

export const maxKeyBytes = 1024;

/** NFKC, then lower case: equal for all spellings of a login or e-mail address. */
export function normalize(text: string): string {
  return text.normalize("NFKC").toLowerCase();
}

/** @returns undefined where the field gives no key: the handler refuses such a request, whatever its record key */
export function recordKey(rule: RecordKeyRule | undefined, request: object): string | undefined {
  const key = rule && requestKey(rule, request);
  return key === undefined || Buffer.byteLength(key) > maxKeyBytes ? undefined : key;
}

function requestKey(rule: RecordKeyRule, request: object): string | undefined {
  const value = (request as Record<string, unknown>)[rule.field];
  if (typeof value !== "string") return undefined;
  switch (rule.kind) {
    case "login":
    case "email":
      return value === "" || value.length > maxKeyBytes ? undefined : normalize(value);
    case "token":
      return tokenId(value);
    case "session":
      return value.split(".").length === 3 ? claim(value, "sid") : tokenId(value);
    case "user":
      return claim(value, "sub");
    default:
      throw new Error(`no such kind of record key: ${rule.kind}`);
  }
}

function tokenId(token: string): string | undefined {
  const dot = token.indexOf(".");
  return dot > 0 ? token.slice(0, dot) : undefined;
}

function claim(jwt: string, name: string): string | undefined {
  try {
    const payload: unknown = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8"));
    const value = (payload as Record<string, unknown> | null)?.[name];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
