// Who reads and writes every topic of a fleet, auth.key included: with keys of their own, and a root key of their own
// to certify them. What they write before a service's first start, what they find in what others write, and tokens they
// make.
import { generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { CompactSign, decodeJwt } from "jose";
import { openSeal } from "../../src/bus/seal/seal.ts";
import type { InRecord, OutRecord } from "../../src/kafka/records.ts";
import { keyThumbprint, makeCert, publicMembers } from "../../src/protocol/fleet-cert.ts";

interface Pair {
  privateKey: KeyObject;
  publicJwk: JsonWebKey;
  kid: string;
}

function pair(): Pair {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicJwk = publicMembers(publicKey.export({ format: "jwk" }))!;
  return { privateKey, publicJwk, kid: keyThumbprint(publicJwk)! };
}

/** A record of auth.key of the fleet's. */
export type Genuine = Record<string, unknown> & { kid: string; use: string };

export class BrokerAttacker {
  readonly #root = pair();
  readonly sealing = pair();
  readonly signing = pair();

  /** Keys of theirs, in front of and in place of those of the fleet. @param genuine the fleet's records on auth.key */
  keyRecords(genuine: readonly Genuine[]): OutRecord[] {
    const [enc, sig] = [this.#key(this.sealing, "enc"), this.#key(this.signing, "sig")];
    const cert = genuine.find(({ use }) => use === "enc")?.["cert"];
    const none = Buffer.from(JSON.stringify({ alg: "none", typ: "fleet-key+jwt" })).toString("base64url");
    const bodies = [
      { ...enc, cert },
      { ...enc, cert: `${none}.${String(enc["cert"]).split(".")[1]}.` },
      // Where a certificate is not looked at, these count: the last of its kid.
      enc,
      sig,
    ];
    const inPlaceOf = genuine.map((own) => ({
      ...own,
      ...(own.use === "enc" ? this.sealing : this.signing).publicJwk,
    }));
    return [...bodies, ...inPlaceOf].map((body) => keyRecord(body as Genuine));
  }

  #key({ publicJwk, kid }: Pair, use: "enc" | "sig"): Genuine {
    const alg = use === "enc" ? "ECDH-ES+A256KW" : "ES256";
    const own = { jwk: { ...publicJwk, alg }, use, version: 1, state: "active" };
    const later = Date.now() + 86_400_000;
    const cert = makeCert(this.#root, own, Date.now());
    const times = { createdAt: 1, activeAt: later, retiredAt: null };
    return { ...publicJwk, kid, use, alg, state: "active", version: 1, cert, ...times };
  }

  /** What stands in a seal, where it is to a key of theirs. */
  async opened({ value }: Pick<InRecord, "value">): Promise<Record<string, unknown> | undefined> {
    const sealed = /eyJ[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+\.[\w-]+/.exec(value?.toString("latin1") ?? "")?.[0];
    if (sealed === undefined) throw new Error("there is no seal in it");
    return openSeal(sealed, this.sealing.privateKey).catch(() => undefined);
  }

  /** Whose token it is, as an administrator, signed by them. */
  async token(token: string): Promise<string> {
    const claims = { ...decodeJwt(token), roles: ["admin"] };
    return new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: this.signing.kid })
      .sign(this.signing.privateKey);
  }
}

export function keyRecord(body: Genuine): OutRecord {
  return { topic: "auth.key", key: Buffer.from(body.kid), value: Buffer.from(JSON.stringify(body)), headers: {} };
}
