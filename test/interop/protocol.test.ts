// docs/protocol.md says what is so: its bytes, its seal, mac and certificate, its headers, codes and commands are those
// of the code, and other libraries come to the same. (Its table of commands is generated: test/architecture.test.ts.)
import { execFileSync } from "node:child_process";
import { createHmac, createPrivateKey, type JsonWebKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import avsc from "avsc";
import { sharedHeaders } from "../../src/bus/headers.ts";
import { replyMac } from "../../src/bus/seal/reply-mac.ts";
import { openRequest, type RequestToOpen } from "../../src/bus/seal/seal.ts";
import { handlers } from "../../src/handlers/index.ts";
import { busNames } from "../../src/protocol/bus-names.ts";
import { refusals } from "../../src/protocol/errors.ts";
import { keyThumbprint, readCert } from "../../src/protocol/fleet-cert.ts";
import { commandSchemas } from "../../src/protocol/generated/schemas.ts";
import { refusalOf } from "../support/users.ts";
import { pythonWithRequirements } from "./venv.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "protocol.md"), "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^\`]+)^\`\`\`$`, "gm"))].map((match) => match[1]!);
const section = (title: string): string => page.split(/^## /m).find((text) => text.startsWith(title))!;

/** The bytes of a dump: between its offsets and its text. */
const bytesOf = (dump: string): Buffer =>
  Buffer.concat(dump.split("\n").map((line) => Buffer.from(line.slice(6, 53).replaceAll(" ", ""), "hex")));

const { request, reply } = commandSchemas["auth.session.login"];
const [requestDump, replyDump, macDump] = blocks("hex").map(bytesOf);
const [sealed, cert] = [blocks("jwe")[0]!.replaceAll("\n", ""), blocks("jws")[0]!.replaceAll("\n", "")];
const [header, inside, key, certified, root] = blocks("json").map(
  (text) => JSON.parse(text) as Record<string, unknown>,
);
const { $reply, ...fields } = inside as { $reply: string };
const clear = { login: "Ada", rotating: true, client: null };

test("the request's bytes are those of its schema, up to the seal that follows", () => {
  const body = avsc.Type.forSchema(request as unknown as avsc.Schema).toBuffer({ ...clear, sealed });
  const whole = Buffer.concat([Buffer.of(0, 0, 0, 0, 19), body]);
  expect(requestDump!.length).toBeGreaterThan(20);
  expect(whole.subarray(0, requestDump!.length)).toEqual(requestDump);
});

test("the reply's bytes are a refusal", () => {
  expect([...replyDump!.subarray(0, 5)]).toEqual([0, 0, 0, 0, 20]);
  expect(avsc.Type.forSchema(reply as unknown as avsc.Schema).fromBuffer(replyDump!.subarray(5))).toEqual({
    outcome: {
      "auth.Refusal": {
        code: "INVALID_CREDENTIALS",
        message: refusals.INVALID_CREDENTIALS[1],
        retryAfterMs: null,
        details: {},
      },
    },
  });
});

test("the seal has the header that is shown, and opens to what is shown, under its own topic only", async () => {
  expect(JSON.parse(Buffer.from(sealed.split(".")[0]!, "base64url").toString())).toEqual(header);
  const { top, rpt, rkt, jti, exp, kid } = header as Record<string, string> & { exp: number };
  const secrets: string[] = [];
  const opened = (topic: string) => {
    const privateKey = createPrivateKey({ key: key as JsonWebKey, format: "jwk" });
    const record: RequestToOpen = {
      sealed,
      clear,
      topic,
      replyKeyThumbprint: rkt,
      idempotencyKey: jti,
      keys: (asked) => (asked === kid ? privateKey : undefined),
      requireSealed: true,
      sealedFields: request.sealedFields.map(({ name }) => name),
      replyTopic: rpt!,
      receivedAt: exp * 1000 - 60_000,
      opened: (secret) => void secrets.push(secret.toString("base64url")),
    };
    return openRequest(record);
  };
  expect(await opened(String(top))).toEqual(fields);
  expect(secrets).toEqual([$reply]);
  expect(await refusalOf(opened("auth.session.refresh"))).toBe("SEAL_INVALID");
});

test("the mac that is shown is that of the reply to the login, over the bytes that are shown", () => {
  const shown = (name: string): string =>
    new RegExp(`^\\| \`${name}\` \\| \`([^\`]+)\``, "m").exec(section("Headers"))![1]!;
  const secret = Buffer.from($reply, "base64url");
  const correlationId = Buffer.from(shown("kafka_correlationId"));
  const input = {
    replyTopic: shown("kafka_replyTopic"),
    correlationId,
    code: "INVALID_CREDENTIALS",
    value: replyDump!,
  };
  expect(shown("auth-reply-mac")).toBe(replyMac(secret, input));
  expect(shown("auth-reply-mac")).toBe(createHmac("sha256", secret).update(macDump!).digest("base64url"));
  expect(header!["rpt"]).toBe(input.replyTopic);
});

test("the certificate that is shown says what is shown, of the key that is shown, by the root key that is shown", () => {
  const fleetId = /root key, whose\s+thumbprint\s+is\s+`([^`]+)`/.exec(page)![1]!;
  expect(keyThumbprint(root as JsonWebKey)).toBe(fleetId);
  expect(readCert(cert, new Set([fleetId]))).toEqual(certified);
  expect(readCert(cert, new Set([String(header!["kid"])]))).toBeUndefined();
  expect(keyThumbprint((certified as { jwk: JsonWebKey }).jwk)).toBe(header!["kid"]);
  const { kty, crv, x, y } = key as JsonWebKey;
  expect(certified!["jwk"]).toEqual({ kty, crv, x, y, alg: "ECDH-ES+A256KW" });
});

test("jwcrypto and Python's hmac come to the same, and to something else where a byte is changed", async () => {
  const python = await pythonWithRequirements();
  const output = execFileSync(python, [join(import.meta.dirname, "vectors.py")], { input: page, encoding: "utf8" });
  const { says, changed } = JSON.parse(output) as Record<"says" | "changed", Record<string, unknown>>;
  const { own, mac, ...more } = says;
  const fleetId = keyThumbprint(root as JsonWebKey);
  expect(more).toEqual({ header, inside, kid: header!["kid"], fleetId, cert: certified });
  expect(page).toContain(`| \`auth-reply-mac\` | \`${String(mac)}\` |`);
  expect(changed).toEqual({
    inside: null,
    mac: expect.not.stringContaining(String(mac)),
    cert: null,
    otherRoot: null,
    late: null,
  });
  // And what jwcrypto seals opens here.
  const { top, rpt, rkt, jti, exp } = header as Record<string, string> & { exp: number };
  const opened = openRequest({
    sealed: String(own),
    clear,
    topic: top!,
    replyTopic: rpt!,
    replyKeyThumbprint: rkt,
    idempotencyKey: jti,
    keys: () => createPrivateKey({ key: key as JsonWebKey, format: "jwk" }),
    requireSealed: true,
    sealedFields: request.sealedFields.map(({ name }) => name),
    receivedAt: exp * 1000 - 60_000,
  });
  expect(await opened).toEqual(fields);
}, 300_000);

test("every header and every code is there, and no other", () => {
  const headers = new Set(
    [...section("Headers").matchAll(/`((?:kafka_|auth-|trace)[\w-]+)`/g)].map((match) => match[1]),
  );
  const { probe: _, ...own } = busNames.headers; // between a requester and itself
  expect([...headers].sort()).toEqual(Object.values({ ...sharedHeaders, ...own }).sort());
  const codes = new Set(section("Refusals").match(/\b[A-Z][A-Z_]{5,}\b/g));
  expect([...codes].sort()).toEqual(Object.keys(refusals).sort());
});

test("the commands whose answer is not stored are those the table says", () => {
  const rows = [...section("Commands").matchAll(/^\| `(auth\.[^`]+)` .* (yes|no) \|$/gm)];
  expect(rows.map((row) => row[1]).sort()).toEqual(handlers.map(({ topic }) => topic).sort());
  const notStored = rows.filter((row) => row[2] === "no").map((row) => row[1]);
  expect(notStored.sort()).toEqual(
    handlers
      .filter((one) => !one.storesAnswer)
      .map(({ topic }) => topic)
      .sort(),
  );
});
