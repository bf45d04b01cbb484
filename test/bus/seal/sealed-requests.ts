// A request, the keys of a fleet and of a requester, and seals made with them. A file that imports it has keys of its
// own from its first test on.
import {
  CompactEncrypt,
  type CryptoKey,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from "jose";
import {
  openRequest,
  type RequestToOpen,
  type RequestToSeal,
  sealRequest,
  thumbprint,
} from "../../../src/bus/seal/seal.ts";
import { Refusal } from "../../../src/protocol/errors.ts";

export const now = 1_790_000_000_000;
export const idempotencyKey = "b3f1d8c2a4e64f7e9a0b1c2d3e4f5a6b";
export const fields = {
  login: "ada",
  password: "correct horse",
  rotating: true,
  count: 3,
  big: 9_007_199_254_740_991,
  ratio: 0.5,
  client: { ip: "192.0.2.1", userAgent: null, device: null },
  bytes: Buffer.from([1, 2, 255]),
  list: [1, 2],
};
export const { password, ...clear } = fields;

export let fleet: { privateKey: CryptoKey; jwk: JWK & { kid: string } };
export let requester: { privateKey: CryptoKey; jwk: JWK; text: string };
export let toSeal: RequestToSeal;
export let toOpen: Omit<RequestToOpen, "sealed">;

export async function pair(alg = "ECDH-ES+A256KW", crv = "P-256") {
  const { privateKey, publicKey } = await generateKeyPair(alg, { crv, extractable: true });
  return { privateKey, jwk: await exportJWK(publicKey) };
}

beforeAll(async () => {
  const [ours, theirs] = [await pair(), await pair()];
  fleet = { ...ours, jwk: { ...ours.jwk, kid: "fleet-1" } };
  requester = { ...theirs, text: JSON.stringify(theirs.jwk) };
  const replyKeyThumbprint = thumbprint(requester.jwk);
  const both = { topic: "auth.session.login", replyTopic: "auth.reply.test", replyKeyThumbprint, idempotencyKey };
  toSeal = { ...both, fields, key: fleet.jwk, expiresAt: now + 60_000 };
  const keys = (kid: string) => (kid === "fleet-1" ? fleet.privateKey : undefined);
  toOpen = { ...both, clear, keys, requireSealed: true, sealedFields: ["password"], receivedAt: now };
});

/** ok, or the code with the reason and the field; anything else that is thrown is a fault. */
export async function outcome(run: () => unknown): Promise<string> {
  try {
    await run();
    return "ok";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [error.code, error.details["reason"], error.details["field"]].filter(Boolean).join(" ");
  }
}

export const opened = async (seal: Partial<RequestToSeal>, open: Partial<RequestToOpen> = {}) =>
  await outcome(async () => openRequest({ ...toOpen, sealed: await sealRequest({ ...toSeal, ...seal }), ...open }));

/** A seal made by hand, with whatever header and content. */
export async function handmade(
  header: object,
  content: string | object = fields,
  key: JWK = fleet.jwk,
): Promise<string> {
  const own = decodeProtectedHeader(await sealRequest(toSeal));
  const { epk, ...rest } = own;
  const { alg, ...all } = { ...rest, ...header } as { alg: string; enc: string };
  const plaintext = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
  const direct = alg === "ECDH-ES" ? "ECDH-ES" : alg;
  return await new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: direct, ...all })
    .encrypt(await importJWK(key, direct));
}
