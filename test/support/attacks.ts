// What an attacker who reads and writes the broker can make of somebody's sealed login: copies in other records, and
// seals that they make themselves (the fleet's key is public) with something wrong in them. Each with the reason for
// which it is refused.
import { generateKeyPairSync, type JsonWebKey, randomBytes } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { CompactEncrypt, importJWK, type JWK } from "jose";
import { thumbprint } from "../../src/bus/seal/seal.ts";
import { type RawRequest, replyTopic } from "./raw.ts";
import { ephemeralPair, type Forgery, forge, withParts } from "./seals.ts";
import type { TestFleet } from "./test-fleet.ts";
import { type Confirmed, confirmed } from "./users.ts";

/** What somebody's login was made of, and the record in which it crossed the broker. */
export interface Genuine {
  user: Confirmed;
  recipient: JsonWebKey;
  header: { kid: string; top: string; rpt: string; rkt: string; jti: string; exp: number };
  all: object;
  clear: object;
  sealed: string;
  replyPair: ReturnType<typeof ephemeralPair>;
  record: RawRequest;
}

type Sent = Partial<RawRequest> & { sealed?: string };

export const topic = "auth.session.login";
const partition = 0; // all in one, so that any of them could hold up the others
const publicText = ({ publicKey }: ReturnType<typeof ephemeralPair>): string => {
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" });
  return JSON.stringify({ kty, crv, x, y });
};
const foreignKey = publicText(ephemeralPair());
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

export async function genuineLogin(fleet: TestFleet): Promise<Genuine> {
  const user = await confirmed(fleet);
  const { jwks } = await fleet.client.request("auth.key.list", {});
  const recipient = (JSON.parse(jwks) as { keys: (JsonWebKey & { kid: string; use: string })[] }).keys.find(
    (key) => key.use === "enc",
  )!;
  const replyPair = ephemeralPair();
  const clear = { login: user.login, rotating: true, client: null };
  const all = { ...clear, password: user.password };
  const rkt = thumbprint(JSON.parse(publicText(replyPair)) as JWK);
  const jti = randomBytes(16).toString("base64url");
  const header = { kid: recipient.kid, top: topic, rpt: replyTopic, rkt, jti, exp: inSeconds(300) };
  const sealed = forge({ header, content: JSON.stringify(all), recipient });
  const headers = { "auth-reply-key": publicText(replyPair), "auth-idempotency-key": jti };
  const record: RawRequest = { topic, partition, key: null, fields: { ...clear, sealed }, headers };
  return { user, recipient, header, all, clear, sealed, replyPair, record };
}

/** Another seal of the same request, with something wrong in it. */
export function reseal(genuine: Genuine, { header = {}, ...other }: Partial<Forgery>): Sent {
  const { recipient, all } = genuine;
  const content = JSON.stringify(all);
  return { sealed: forge({ content, recipient, ...other, header: { ...genuine.header, ...header } }) };
}

/** By jose, with an algorithm of its own choice; `key` undefined: the fleet's. */
async function byJose(genuine: Genuine, header: { alg: string; enc: string }, key?: JWK | Uint8Array): Promise<Sent> {
  const recipient = key ?? (genuine.recipient as JWK);
  const imported = recipient instanceof Uint8Array ? recipient : await importJWK(recipient, header.alg);
  const sealed = new CompactEncrypt(Buffer.from(JSON.stringify(genuine.all)));
  return { sealed: await sealed.setProtectedHeader({ ...genuine.header, ...header }).encrypt(imported as Uint8Array) };
}

const hex = (digits: string): Buffer => Buffer.from(digits.padStart(64, "0"), "hex");
const coordinate = (bytes: Buffer): string => bytes.toString("base64url");
/** Of P-256 (SEC 2, section 2.4.2). */
const prime = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
/** The point with x = 0: its x can be spelled as the prime too. */
const yOfZero = hex("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
const zero = Buffer.alloc(32);

/** An epk that is no point of the curve; `shared` is what a recipient who does not look would agree on. */
function offCurve(genuine: Genuine, point: { x: Buffer; y: Buffer }, shared?: Buffer): Sent {
  const epk = { kty: "EC", crv: "P-256", x: coordinate(point.x), y: coordinate(point.y) };
  return reseal(genuine, { header: { epk }, ...(shared && { shared }) });
}

const pointOf = ({ publicKey }: ReturnType<typeof ephemeralPair>): { x: Buffer; y: Buffer } => {
  const { x, y } = publicKey.export({ format: "jwk" });
  return { x: Buffer.from(x!, "base64url"), y: Buffer.from(y!, "base64url") };
};

/** The epk itself is changed, and all else fits it. */
function withEpk(genuine: Genuine, change: (epk: JsonWebKey, d: string) => unknown): Sent {
  const ephemeral = ephemeralPair();
  const { d, ...epk } = ephemeral.privateKey.export({ format: "jwk" });
  return reseal(genuine, { ephemeral, header: { epk: change(epk, d!) } });
}

const jwkOf = (kty: "ec" | "x25519" | "rsa", namedCurve = ""): JWK => {
  const pair =
    kty === "ec"
      ? generateKeyPairSync("ec", { namedCurve })
      : kty === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("x25519");
  return pair.publicKey.export({ format: "jwk" }) as JWK;
};

const part = (at: number, text: (before: string) => string) => (genuine: Genuine) => ({
  sealed: withParts(genuine.sealed, (parts) => parts.map((each, index) => (index === at ? text(each) : each))),
});
/** The first bit of a part's bytes, flipped. */
const flipped = (text: string): string => {
  const bytes = Buffer.from(text, "base64url");
  bytes[0]! ^= 0x80;
  return bytes.toString("base64url");
};
const header = (change: object) => (genuine: Genuine) => reseal(genuine, { header: change });
const spelled = (change: (json: string) => string) => (genuine: Genuine) => reseal(genuine, { spelled: change });
const content = (text: (genuine: Genuine) => string | Buffer) => (genuine: Genuine) =>
  reseal(genuine, { content: text(genuine) });
const headers =
  (change: RawRequest["headers"]) =>
  (genuine: Genuine): Sent => ({ headers: { ...genuine.record.headers, ...change } });
const beside = (change: object) => (genuine: Genuine) => ({
  fields: { ...genuine.clear, ...change, sealed: genuine.sealed },
});
const partNames = ["header", "wrapped key", "nonce", "ciphertext", "tag"];

const withSecret =
  (secret: unknown) =>
  ({ all }: Genuine): string =>
    JSON.stringify({ ...all, $reply: secret });

/** What is sent, and the reason (and field) of its refusal, which is SEAL_INVALID where no other code is named. */
export const attacks: Record<string, [string, (genuine: Genuine) => Sent | Promise<Sent>]> = {
  "a copy under the attacker's reply key": ["rkt", headers({ "auth-reply-key": foreignKey })],
  "a copy in another topic": ["top", ({ sealed }) => ({ topic: "auth.session.inspect", fields: { sealed } })],
  "a copy in another topic, its header made to fit": [
    "jwe",
    ({ sealed }) => ({
      topic: "auth.session.inspect",
      fields: { sealed: withParts(sealed, ([head, ...rest]) => [renamed(head!), ...rest]) },
    }),
  ],
  "a copy under another idempotency key": ["jti", headers({ "auth-idempotency-key": randomBytes(16).toString("hex") })],
  "a copy without the idempotency key": ["jti", headers({ "auth-idempotency-key": undefined })],
  "a copy without anything it could be known by": [
    "INVALID_INPUT auth-idempotency-key",
    headers({ "auth-idempotency-key": undefined, kafka_correlationId: "short" }),
  ],
  "a seal of nothing it could be known by": [
    "INVALID_INPUT auth-idempotency-key",
    (genuine) => ({
      ...reseal(genuine, { header: { jti: undefined } }),
      ...headers({ "auth-idempotency-key": undefined, kafka_correlationId: "short" })(genuine),
    }),
  ],
  "a copy beside another login": ["fields login", beside({ login: "somebody-else" })],
  "a copy beside another rotating": ["fields rotating", beside({ rotating: false })],
  "a copy beside a client that was null": [
    "fields client",
    beside({ client: { ip: "192.0.2.66", userAgent: null, device: null } }),
  ],

  "a past exp": ["exp", (genuine) => header({ exp: inSeconds(-6) })(genuine)],
  "an exp of 1970": ["exp", header({ exp: 0 })],
  "an exp more than an hour ahead": ["exp", (genuine) => header({ exp: inSeconds(3900) })(genuine)],
  "an exp in milliseconds": ["exp", (genuine) => header({ exp: inSeconds(60) * 1000 })(genuine)],
  "an exp that is a text": ["exp", (genuine) => header({ exp: String(inSeconds(60)) })(genuine)],
  "an exp that is infinite": ["exp", spelled((json) => json.replace(/"exp":\d+/, '"exp":1e999'))],
  "no exp": ["exp", header({ exp: undefined })],
  "no top": ["top", header({ top: undefined })],
  "a top of null": ["top", header({ top: null })],
  "a top that is a list": ["top", header({ top: [topic] })],
  "no rpt": ["rpt", header({ rpt: undefined })],
  "an rpt of another service": ["rpt", header({ rpt: "auth.reply.bridge" })],
  "an rpt with the prefix of the broker": ["rpt", header({ rpt: `x.${replyTopic}` })],
  "an rpt that is a list": ["rpt", header({ rpt: [replyTopic] })],
  "no rkt": ["rkt", header({ rkt: undefined })],
  "an rkt of another key": ["rkt", header({ rkt: thumbprint(JSON.parse(foreignKey) as JWK) })],
  "no jti": ["jti", header({ jti: undefined })],
  "an empty jti": ["jti", header({ jti: "" })],

  "another kid": ["unknown-kid", header({ kid: "gone" })],
  "a kid of JavaScript's own": ["unknown-kid", header({ kid: "__proto__" })],
  "an empty kid": ["unknown-kid", header({ kid: "" })],
  "no kid": ["jwe", header({ kid: undefined })],
  "a kid that is a list": ["jwe", (genuine) => header({ kid: [genuine.header.kid] })(genuine)],

  "no JWE at all": ["jwe", () => ({ sealed: "garbage" })],
  "four parts": ["jwe", ({ sealed }) => ({ sealed: withParts(sealed, (parts) => parts.slice(0, 4)) })],
  "six parts": ["jwe", ({ sealed }) => ({ sealed: `${sealed}.AAAA` })],
  "blanks around it": ["jwe", ({ sealed }) => ({ sealed: ` ${sealed}\n` })],
  "another byte order of its parts": [
    "jwe",
    ({ sealed }) => ({ sealed: withParts(sealed, (parts) => parts.reverse()) }),
  ],
  ...Object.fromEntries(
    partNames.flatMap((name, at) => [
      [`no ${name}`, ["jwe", part(at, () => "")]],
      [`a ${name} that is no base64url`, ["jwe", part(at, (text) => `${text.slice(0, -1)}*`)]],
      [`a ${name} with padding`, ["jwe", part(at, (text) => `${text}=`)]],
      [`a ${name} that is cut`, ["jwe", part(at, (text) => text.slice(0, -4))]],
      [`a ${name} that goes on`, ["jwe", part(at, (text) => `${text}AAAA`)]],
      [`a ${name} with a bit flipped`, ["jwe", part(at, flipped)]],
    ]),
  ),
  "a tag cut to 32 bits": [
    "jwe",
    part(4, (text) => Buffer.from(text, "base64url").subarray(0, 4).toString("base64url")),
  ],
  "a header that is no JSON": ["jwe", spelled((json) => json.slice(1))],
  "a header that is a list": ["jwe", spelled((json) => `[${json}]`)],
  "a header that is null": ["jwe", spelled(() => "null")],
  "a header behind a byte order mark": ["jwe", spelled((json) => `\ufeff${json}`)],

  "alg none": ["jwe", header({ alg: "none" })],
  "no alg": ["jwe", header({ alg: undefined })],
  "alg in lower case": ["jwe", header({ alg: "ecdh-es+a256kw" })],
  "alg as a list": ["jwe", header({ alg: ["ECDH-ES+A256KW"] })],
  "alg ECDH-ES, direct": ["jwe", (genuine) => byJose(genuine, { alg: "ECDH-ES", enc: "A256GCM" })],
  "alg ECDH-ES+A128KW": ["jwe", (genuine) => byJose(genuine, { alg: "ECDH-ES+A128KW", enc: "A256GCM" })],
  "alg dir, the public key as the secret": [
    "jwe",
    (genuine) => byJose(genuine, { alg: "dir", enc: "A256GCM" }, Buffer.from(genuine.recipient.x!, "base64url")),
  ],
  "alg A256KW, the public key as the secret": [
    "jwe",
    (genuine) => byJose(genuine, { alg: "A256KW", enc: "A256GCM" }, Buffer.from(genuine.recipient.x!, "base64url")),
  ],
  "alg RSA-OAEP": ["jwe", (genuine) => byJose(genuine, { alg: "RSA-OAEP", enc: "A256GCM" }, jwkOf("rsa"))],
  "alg RSA-OAEP-256": ["jwe", (genuine) => byJose(genuine, { alg: "RSA-OAEP-256", enc: "A256GCM" }, jwkOf("rsa"))],
  "alg PBES2 with a count that would take minutes": [
    "jwe",
    header({ alg: "PBES2-HS256+A128KW", p2s: "c2FsdHNhbHQ", p2c: 2 ** 31 - 1 }),
  ],
  "enc A128GCM": ["jwe", (genuine) => byJose(genuine, { alg: "ECDH-ES+A256KW", enc: "A128GCM" })],
  "enc A256CBC-HS512": ["jwe", (genuine) => byJose(genuine, { alg: "ECDH-ES+A256KW", enc: "A256CBC-HS512" })],
  "no enc": ["jwe", header({ enc: undefined })],
  "zip, really deflated": [
    "jwe",
    (genuine) => reseal(genuine, { header: { zip: "DEF" }, content: deflateRawSync(JSON.stringify(genuine.all)) }),
  ],
  "zip of 10 MB": [
    "jwe",
    (genuine) => reseal(genuine, { header: { zip: "DEF" }, content: deflateRawSync(Buffer.alloc(10_000_000)) }),
  ],
  "zip of null": ["jwe", header({ zip: null })],
  crit: ["jwe", header({ crit: ["exp"] })],
  "crit of something unknown": ["jwe", header({ crit: ["http://example.com/x"], "http://example.com/x": true })],
  "an empty crit": ["jwe", header({ crit: [] })],

  "no epk": ["jwe", header({ epk: undefined })],
  "an epk of null": ["jwe", header({ epk: null })],
  "an epk that is a text": ["jwe", (genuine) => withEpk(genuine, (epk) => JSON.stringify(epk))],
  "an epk with its private part": ["jwe", (genuine) => withEpk(genuine, (epk, d) => ({ ...epk, d }))],
  "an epk without y": ["jwe", (genuine) => withEpk(genuine, ({ y, ...epk }) => epk)],
  "an epk on another curve by its name": ["jwe", (genuine) => withEpk(genuine, (epk) => ({ ...epk, crv: "P-384" }))],
  "an epk on P-384": ["jwe", header({ epk: jwkOf("ec", "P-384") })],
  "an epk on P-521": ["jwe", header({ epk: jwkOf("ec", "P-521") })],
  "an epk on secp256k1": ["jwe", header({ epk: jwkOf("ec", "secp256k1") })],
  "an epk on secp256k1 that says P-256": ["jwe", header({ epk: { ...jwkOf("ec", "secp256k1"), crv: "P-256" } })],
  "an epk on X25519": ["jwe", header({ epk: jwkOf("x25519") })],
  "an epk of RSA": ["jwe", header({ epk: jwkOf("rsa") })],
  "an epk that is not on the curve": [
    "jwe",
    (genuine) => {
      const ephemeral = ephemeralPair();
      const { x, y } = pointOf(ephemeral);
      return offCurve(genuine, { x: y, y: x });
    },
  ],
  "an epk of order 2 on another curve": ["jwe", (genuine) => offCurve(genuine, { x: hex("2a"), y: zero }, hex("2a"))],
  "an epk of zeros": ["jwe", (genuine) => offCurve(genuine, { x: zero, y: zero }, zero)],
  "an epk with x spelled beyond the prime": ["jwe", (genuine) => offCurve(genuine, { x: prime, y: yOfZero })],
  "an epk with coordinates of no bytes": [
    "jwe",
    (genuine) => offCurve(genuine, { x: Buffer.alloc(0), y: Buffer.alloc(0) }, zero),
  ],
  "an epk with a zero byte before each coordinate": [
    "jwe",
    (genuine) => withEpk(genuine, ({ x, y, ...epk }) => ({ ...epk, x: `AA${x}`, y: `AA${y}` })),
  ],
  "the epk turned over in a copy": [
    "jwe",
    ({ sealed }) => ({ sealed: withParts(sealed, ([head, ...rest]) => [turned(head!), ...rest]) }),
  ],

  "a top given twice": ["jwe", spelled((json) => json.replace('"top"', '"top":"auth.account.register","top"'))],
  "a kid given twice": ["jwe", spelled((json) => json.replace('"kid"', '"kid":"other","kid"'))],
  "a kid given twice, once escaped": ["jwe", spelled((json) => json.replace('"kid"', '"\\u006bid":"other","kid"'))],
  "a member of the epk given twice": ["jwe", spelled((json) => json.replace('"kty"', '"kty":"OKP","kty"'))],
  "a login inside given twice": ["jwe", content(({ all }) => JSON.stringify(all).replace("{", '{"login":"other",'))],
  "a password inside given twice": ["jwe", content(({ all }) => JSON.stringify(all).replace("{", '{"password":"x",'))],

  "a reply secret of 31 bytes": ["reply", content(withSecret(randomBytes(31).toString("base64url")))],
  "a reply secret that is a list": ["reply", content(withSecret([randomBytes(32).toString("base64url")]))],
  "a reply secret of null": ["reply", content(withSecret(null))],
  "no JSON inside": ["jwe", content(() => "garbage")],
  "nothing inside": ["jwe", content(() => "")],
  "a list inside": ["jwe", content(({ all }) => JSON.stringify([all]))],
  "bytes inside that are no UTF-8": ["jwe", content(() => Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))],
  "no password inside": ["fields password", content(({ clear }) => JSON.stringify(clear))],
  "a password inside that is no text": [
    "fields password",
    content(({ all }) => JSON.stringify({ ...all, password: 5 })),
  ],
  "another login inside": ["fields login", content(({ all }) => JSON.stringify({ ...all, login: "somebody-else" }))],
  "a seal for another fleet's key": [
    "jwe",
    (genuine) => reseal(genuine, { recipient: ephemeralPair().publicKey.export({ format: "jwk" }) }),
  ],
};

function renamed(head: string): string {
  const json = Buffer.from(head, "base64url").toString("utf8");
  return Buffer.from(json.replace(topic, "auth.session.inspect")).toString("base64url");
}

/** y -> p - y: also a point of the curve, and with the same x of what is agreed. */
function turned(head: string): string {
  const json = JSON.parse(Buffer.from(head, "base64url").toString("utf8")) as { epk: { y: string } };
  const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString("hex")}`);
  const y = hex((number(prime) - number(Buffer.from(json.epk.y, "base64url"))).toString(16));
  return Buffer.from(JSON.stringify({ ...json, epk: { ...json.epk, y: coordinate(y) } })).toString("base64url");
}
