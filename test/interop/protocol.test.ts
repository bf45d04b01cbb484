// docs/protocol.md says what is so: its bytes, its seal, its headers, codes and commands are those of the code. (Its table of commands is
// generated: test/architecture.test.ts.)
import { createPrivateKey, type JsonWebKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import avsc from "avsc";
import { names } from "../../src/bus/headers.ts";
import { openRequest, type RequestToOpen } from "../../src/bus/seal.ts";
import { refusals } from "../../src/errors.ts";
import { commandSchemas } from "../../src/generated/schemas.ts";
import { handlers } from "../../src/handlers/index.ts";
import { refusalOf } from "../support/people.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "protocol.md"), "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^\`]+)^\`\`\`$`, "gm"))].map((match) => match[1]!);
const section = (title: string): string => page.split(/^## /m).find((text) => text.startsWith(title))!;

/** The bytes of a dump: between its offsets and its text. */
const bytesOf = (dump: string): Buffer =>
  Buffer.concat(dump.split("\n").map((line) => Buffer.from(line.slice(6, 53).replaceAll(" ", ""), "hex")));

const { request, reply } = commandSchemas["auth.session.login"];
const [requestDump, replyDump] = blocks("hex").map(bytesOf);
const sealed = blocks("jwe")[0]!.replaceAll("\n", "");
const [header, inside, key] = blocks("json").map((text) => JSON.parse(text) as Record<string, unknown>);
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
  const { top, rkt, jti, exp, kid } = header as Record<string, string> & { exp: number };
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
      now: exp * 1000 - 60_000,
    };
    return openRequest(record);
  };
  expect(await opened(String(top))).toEqual(inside);
  expect(await refusalOf(opened("auth.session.refresh"))).toBe("SEAL_INVALID");
});

test("every header and every code is there, and no other", () => {
  const headers = new Set(
    [...section("Headers").matchAll(/`((?:kafka_|auth-|trace)[\w-]+)`/g)].map((match) => match[1]),
  );
  expect([...headers].sort()).toEqual(Object.values(names).sort());
  const codes = new Set(section("Refusals").match(/\b[A-Z][A-Z_]{5,}\b/g));
  expect([...codes].sort()).toEqual(Object.keys(refusals).sort());
});

test("the commands that keep no answer are those that are named", () => {
  const sentence = /^(.+) keep nothing/m.exec(section("Once"))![1]!;
  const named = [...sentence.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
  const keepNothing = handlers.filter(({ once }) => !once).map(({ topic }) => topic);
  expect(named.sort()).toEqual([...keepNothing].sort());
});
