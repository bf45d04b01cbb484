// A self-signed X.509 certificate for localhost (RFC 5280), made anew for each test run: nothing in the repository can
// expire or leak, and no openssl is needed. Only what TLS asks for: version 3, ECDSA with P-256 and SHA-256,
// basicConstraints, subjectAltName.
import { generateKeyPairSync, sign } from "node:crypto";

/** One ASN.1 value in DER (X.690): its tag, its length, its content. */
function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const bytes = body.length < 0x100 ? [body.length] : [body.length >> 8, body.length & 0xff];
  const length = body.length < 0x80 ? bytes : [0x80 | bytes.length, ...bytes];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...content: Uint8Array[]) => der(0x30, ...content);
const oid = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
const octets = (content: Uint8Array) => der(0x04, content);
const bits = (content: Uint8Array) => der(0x03, Buffer.from([0]), content);
const time = (text: string) => der(0x18, Buffer.from(text));

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
const named = (name: string) => sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(name)))));
const validity = sequence(time("20200101000000Z"), time("21200101000000Z"));
const isAuthority = sequence(oid("551d13"), octets(sequence(der(0x01, Buffer.from([0xff])))));
const dnsName = (name: string) => der(0x82, Buffer.from(name));
const uri = (name: string) => der(0x86, Buffer.from(name));
const alternatives = (names: string[]) =>
  sequence(
    oid("551d11"),
    octets(
      sequence(
        ...names.map((name) => (name.includes("://") ? uri(name) : dnsName(name))),
        der(0x87, Buffer.from([127, 0, 0, 1])),
      ),
    ),
  );

/** PEM. @param common its CN @param names its alternative names: URIs where they look like one, else DNS names */
export function selfSigned(common = "localhost", names = ["localhost"]): { cert: string; key: string } {
  const name = named(common);
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(isAuthority, alternatives(names))),
  );
  const certificate = sequence(body, ecdsaWithSha256, bits(sign("sha256", body, privateKey)));
  const lines = certificate
    .toString("base64")
    .match(/.{1,64}/g)!
    .join("\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
