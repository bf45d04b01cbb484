// Every bad access token, at each of the three that judge it: the fleet (auth.session.inspect), a local verifier, and
// the bridge's CurrentUser. All give the same code; and the verifier says so by itself, without asking the fleet, for
// whatever names a key that it has.
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  base64url,
  decodeJwt,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from "jose";
import { type Client, connect, Refusal, type Verifier } from "../src/client/index.ts";
import { variables } from "../src/config/variables.ts";
import type { Keyring } from "../src/crypto/keys.ts";
import { newOpaque } from "../src/crypto/opaque.ts";
import { openPool } from "../src/db/pool.ts";
import { loadFleetKeys } from "../src/keys/fleet-keys.ts";
import { connectGateway, type Gateway } from "./bridge/gateway.ts";
import { sharedFleet } from "./support/fleet-addresses.ts";
import { quiet } from "./support/logger.ts";
import { operatorToken } from "./support/operator.ts";
import { type TestFleet, testFleet } from "./support/test-fleet.ts";
import { type Confirmed, confirmed } from "./support/users.ts";

const { env, prefix, grpc } = sharedFleet();
let fleet: TestFleet;
let client: Client;
let verifier: Verifier;
let gateway: Gateway;
let keyring: Keyring;
let user: Confirmed;
let claims: JWTPayload;
beforeAll(async () => {
  fleet = await testFleet();
  client = connect({
    brokers: env["AUTH_KAFKA_BROKERS"]!.split(","),
    registry: env["AUTH_REGISTRY_URL"]!,
    name: "gateway",
    topicPrefix: prefix,
  });
  verifier = client.verifier();
  gateway = await connectGateway(grpc);
  keyring = await fleetKeyring();
  [user] = await Promise.all([confirmed(fleet), client.ready(), verifier.ready()]);
  claims = decodeJwt(user.tokens.accessToken);
}, 60_000);
afterAll(async () => {
  gateway.close();
  await client.close();
  await fleet.close();
});

/** The fleet's own: to make tokens whose signature holds and which are wrong in one thing. */
async function fleetKeyring(): Promise<Keyring> {
  const pool = await openPool({ url: env["AUTH_DATABASE_URL"]!, size: 2, applicationName: "test" });
  const keys = await loadFleetKeys(pool, variables.AUTH_MASTER_KEY.parse(env["AUTH_MASTER_KEY"]!), quiet);
  keys.stop();
  await pool.end();
  return keys.keyring();
}

const encoded = (value: object): string => base64url.encode(JSON.stringify(value));
const genuineHeader = () => ({ alg: "ES256", typ: "at+jwt", kid: keyring.signing().kid });
const now = (): number => Math.floor(Date.now() / 1000);

/** Signed with the fleet's key. */
const signed = (change: JWTPayload, header: object = {}): Promise<string> =>
  new SignJWT({ ...claims, ...change })
    .setProtectedHeader({ ...genuineHeader(), ...header } as never)
    .sign(keyring.signing().key);

/** Signed with a key of the forger's, which they name in the header or not. */
async function forged(header: (jwk: object) => object, alg = "ES256"): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const all = { ...genuineHeader(), ...header(await exportJWK(publicKey)) };
  return new SignJWT(claims).setProtectedHeader(all as never).sign(privateKey);
}

async function byHmac(): Promise<string> {
  const input = `${encoded({ ...genuineHeader(), alg: "HS256" })}.${encoded(claims)}`;
  const secret = await exportSPKI(keyring.verification(keyring.signing().kid)!.key);
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

const bad: [string, string, () => Promise<string>][] = [
  ["nothing", "INVALID_INPUT", async () => ""],
  ["some text", "TOKEN_INVALID", async () => "not a token"],
  ["one of absurd length", "INVALID_INPUT", async () => `${user.tokens.accessToken}${"A".repeat(9000)}`],
  ["one without its signature", "TOKEN_INVALID", async () => user.tokens.accessToken.replace(/[^.]*$/, "")],
  ["one with a changed claim", "TOKEN_INVALID", async () => swapped({ roles: ["admin"] })],
  ["one with other pad bits in its last letter", "TOKEN_INVALID", async () => otherSpelling()],
  ["alg none", "TOKEN_INVALID", async () => new UnsecuredJWT(claims).encode()],
  [
    "alg none with a typ and a kid",
    "TOKEN_INVALID",
    async () => `${encoded({ ...genuineHeader(), alg: "none" })}.${encoded(claims)}.`,
  ],
  ["HS256 with the public key as its secret", "TOKEN_INVALID", byHmac],
  ["another algorithm than its key's", "TOKEN_INVALID", () => forged(() => ({ alg: "ES384" }), "ES384")],
  [
    "another curve under the algorithm of its key",
    "TOKEN_INVALID",
    async () => (await forged(() => ({ alg: "ES384" }), "ES384")).replace(/^[^.]+/, encoded(genuineHeader())),
  ],
  ["a stranger's signature under the fleet's kid", "TOKEN_INVALID", () => forged(() => ({}))],
  ["a stranger's key in jwk", "TOKEN_INVALID", () => forged((jwk) => ({ jwk }))],
  ["a stranger's key in jku", "TOKEN_INVALID", () => forged(() => ({ jku: "http://127.0.0.1:1/jwks.json" }))],
  ["a stranger's key in x5c", "TOKEN_INVALID", () => forged(() => ({ x5c: ["AAAA"] }))],
  ["an unknown kid", "TOKEN_INVALID", () => forged(() => ({ kid: "nobody's" }))],
  ["no kid", "TOKEN_INVALID", () => signed({}, { kid: undefined })],
  ["the kid of a sealing key", "TOKEN_INVALID", () => signed({}, { kid: keyring.sealing().kid })],
  ["its end behind it", "TOKEN_EXPIRED", () => signed({ exp: now() - 60 })],
  ["its beginning before it (nbf)", "TOKEN_INVALID", () => signed({ nbf: now() + 3600 })],
  ["no end", "TOKEN_INVALID", () => signed({ exp: undefined as never })],
  ["another audience", "TOKEN_INVALID", () => signed({ aud: "another" })],
  ["another issuer", "TOKEN_INVALID", () => signed({ iss: "another" })],
  ["another typ", "TOKEN_INVALID", () => signed({}, { typ: "JWT" })],
  ["a critical extension", "TOKEN_INVALID", () => critical()],
  ["no session", "TOKEN_INVALID", () => signed({ sid: undefined })],
  ["an operator's token", "TOKEN_INVALID", () => operatorToken(sharedFleet())],
  ["a token from a confirmation mail", "TOKEN_INVALID", async () => user.confirmationToken],
  ["a refresh token", "TOKEN_INVALID", async () => user.tokens.refreshToken],
  ["a one-time token that nobody made", "TOKEN_INVALID", async () => newOpaque(user.tokens.sessionId).token],
];

const swapped = (change: object): string => {
  const [head, , signature] = user.tokens.accessToken.split(".");
  return [head, encoded({ ...claims, ...change }), signature].join(".");
};

function otherSpelling(): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const token = user.tokens.accessToken;
  return token.slice(0, -1) + letters[letters.indexOf(token.slice(-1)) + 1]!;
}

const critical = (): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ ...genuineHeader(), crit: ["urgent"], urgent: 1 })
    .sign(keyring.signing().key, { crit: { urgent: true } });

const code = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    (error: unknown) => (error instanceof Refusal ? error.code : String(error)),
  );

async function judged(token: string): Promise<Record<"fleet" | "verifier" | "bridge", string>> {
  const [inspected, verified, { status, code: refusal }] = await Promise.all([
    code(client.session.inspect({ accessToken: token })),
    code(verifier.verify(token)),
    gateway.call("CurrentUser", { access_token: token }),
  ]);
  const bridge = status === "OK" ? "ok" : status === "INVALID_ARGUMENT" ? (refusal ?? "no code") : status;
  return { fleet: inspected, verifier: verified, bridge };
}

describe("as an access token", () => {
  test("a good one is taken by all three, also with a jwk in its header, which nobody looks at", async () => {
    const ok = { fleet: "ok", verifier: "ok", bridge: "ok" };
    expect(await judged(user.tokens.accessToken)).toEqual(ok);
    expect(await judged(await signed({}, { jwk: { kty: "EC" } }))).toEqual(ok);
    expect(await judged(await signed({ nbf: now() - 60 }))).toEqual(ok);
  });

  test.each(bad)("%s is refused by all three alike: %s", async (_what, expected, make) => {
    expect(await judged(await make())).toEqual({ fleet: expected, verifier: expected, bridge: expected });
  });

  test("none of them ends a session, but one that has expired, which is genuine (handlers/session.test.ts)", async () => {
    for (const [what, expected, make] of bad.filter(([, code]) => code !== "TOKEN_EXPIRED"))
      expect([what, await code(client.session.logout({ accessToken: await make() }))]).toEqual([what, expected]);
    expect(await code(client.session.inspect({ accessToken: user.tokens.accessToken }))).toBe("ok");
  });

  test("what names a key that is known is refused without asking anybody", async () => {
    const asked: string[] = [];
    const inspect = (token: string): Promise<never> => {
      asked.push(token);
      return Promise.reject(new Error("somebody was asked"));
    };
    for (const [what, expected, make] of bad.filter(
      ([name]) => name !== "an unknown kid" && name !== "the kid of a sealing key",
    ))
      expect([what, await code(verifier.verify(await make(), { inspect }))]).toEqual([what, expected]);
    expect(asked).toEqual([]);
    const unknown = await forged(() => ({ kid: "nobody's" })); // the control
    expect(await code(verifier.verify(unknown, { inspect }))).toBe("Error: somebody was asked");
  });

  test("a flood of unknown kids asks the fleet twenty times a second, and no more; good tokens are served meanwhile", async () => {
    const lonely = client.verifier();
    await lonely.ready();
    let asked = 0;
    const inspect = (): Promise<never> => {
      asked += 1;
      return Promise.reject(new Refusal("TOKEN_INVALID"));
    };
    const token = await forged(() => ({ kid: "nobody's" }));
    const codes = await Promise.all(Array.from({ length: 500 }, () => code(lonely.verify(token, { inspect }))));
    const counted = (wanted: string) => codes.filter((each) => each === wanted).length;
    expect(asked).toBe(counted("TOKEN_INVALID"));
    expect(asked).toBeGreaterThanOrEqual(20);
    expect(asked).toBeLessThan(200); // 20 a second: so few even where a busy machine takes seconds for 500
    expect(counted("UNAVAILABLE")).toBe(500 - asked);
    expect(await code(lonely.verify(user.tokens.accessToken))).toBe("ok");
  });
});
