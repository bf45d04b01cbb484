// What is logged, and what never is. Secrets are looked for in the very bytes that the log writes.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { pino } from "pino";
import { sealedNames } from "../../src/protocol/secret-fields.ts";
import { type Logger, makeLogger } from "../../src/runtime/log.ts";

/** Runs it with a logger, and returns what was written. */
function written(log: (logger: Logger) => void, secretNames: readonly string[] = sealedNames()): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  log(makeLogger("trace", { process: "worker" }, { secretNames, destination }));
  return lines.join("");
}

const lineOf = (log: (logger: Logger) => void): Record<string, unknown> =>
  JSON.parse(written(log)) as Record<string, unknown>;

const secret = "kirschbaum-4711";
const others = [
  "authorization",
  "cookie",
  "Set-Cookie",
  "sealed",
  "private_key",
  "masterKey",
  "clientSecret",
  "refresh_token",
];

describe("the names of secrets", () => {
  test("are those of all sealed fields, by their last names", () => {
    expect(sealedNames()).toEqual(
      expect.arrayContaining(["password", "accessToken", "refreshToken", "token", "challenge"]),
    );
    expect(sealedNames().filter((name) => name.includes("."))).toEqual([]);
  });

  test.each([...sealedNames(), ...others])("%s is not shown, in whatever spelling", (name) => {
    for (const spelling of [
      name,
      name.toUpperCase(),
      name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    ]) {
      const text = written((log) => log.info({ request: { [spelling]: secret, beside: "shown" } }, "asked"));
      expect(text).not.toContain(secret);
      expect(text).toContain("shown");
    }
  });

  test("of a schema alone are enough, and without them its field is shown", () => {
    for (const logged of [{ mothersName: secret }, `said "mothersName": "${secret}"`]) {
      const log = (logger: Logger) => logger.info(logged as string);
      expect(written(log, ["mothersName"])).not.toContain(secret);
      expect(written(log, [])).toContain(secret); // the control
    }
  });
});

/** A value that holds the secret under one of the names, somewhere in a random nesting. */
const hiding = fc.letrec<{ place: unknown; nest: unknown }>((tie) => {
  const name = fc.constantFrom(...sealedNames(), ...others);
  const around = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 2 });
  const held = fc.oneof(
    fc.constant<unknown>(secret),
    fc.constant<unknown>([secret]),
    fc.constant<unknown>({ value: secret }),
    fc.constant<unknown>(Buffer.from(secret)),
  );
  const place = fc.tuple(around, name, held).map(([some, key, value]) => ({ ...some, [key]: value }));
  const wrapped: fc.Arbitrary<unknown>[] = [
    tie("nest").map((inner) => ({ inner })),
    fc.tuple(around, tie("nest")).map(([some, inner]) => ({ ...some, inner })),
    fc.tuple(fc.jsonValue({ maxDepth: 1 }), tie("nest")).map((pair) => pair),
    tie("nest").map((cause) => new Error("outer", { cause })),
    tie("nest").map((request) => Object.assign(new Error("failed"), { request })),
    tie("nest").map((inner) => new AggregateError([inner], "several")),
    tie("nest").map((inner) => ({ toJSON: () => inner })),
    tie("nest").map((inner) => new Map([["inner", inner]])),
    tie("nest").map((inner) => new Error(`not valid: ${JSON.stringify(inner)}`)),
    tie("nest").map((inner) => ({ text: JSON.stringify({ body: JSON.stringify(inner) }) })),
  ];
  return { place, nest: fc.oneof({ maxDepth: 12, depthSize: "large" }, tie("place"), ...wrapped) };
});

describe("a secret in what is logged", () => {
  test("never reaches the line, however it is nested and handed over", () => {
    const ways: ((logger: Logger, value: object) => void)[] = [
      (log, value) => log.error(value),
      (log, value) => log.error(value, "words"),
      (log, value) => log.warn({ err: value, more: { value } }, "words"),
      (log, value) => log.info("words %o and %j", value, value),
      (log, value) => log.debug({}, "words %s", value),
      (log, value) => log.child({ value }).child({ more: value }).info("words"),
    ];
    fc.assert(
      fc.property(hiding.nest, fc.constantFrom(...ways), (value, way) => {
        const text = written((log) => way(log, value as object));
        expect(text.split("\n").length).toBeGreaterThan(1);
        for (const form of [
          secret,
          Buffer.from(secret).toString("base64").slice(0, 18),
          String([...Buffer.from(secret)]),
        ])
          expect(text).not.toContain(form);
      }),
      { numRuns: 1000 },
    );
  });

  test("would reach it under another name (the control)", () => {
    const nested = { a: [{ b: Object.assign(new Error("failed"), { request: { phrase: secret } }) }] };
    expect(written((log) => log.error(nested))).toContain(secret);
  });

  test.each([
    ["a JWT", `refused eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0MiJ9.${secret} at once`],
    ["a seal", `eyJhbGciOiJFQ0RILUVTIn0.${secret}..${secret}.${secret}`],
    ["a refresh token", `no session 01912d68-783e-7a03-8467-5661c1243ad4.${secret}${secret}`],
    ["a password in a URL", `cannot reach postgresql://auth:${secret}@db:5432/auth`],
    ["JSON in an error's message", `Unexpected end: {"login":"ada","password":"x\\"${secret}`],
    ["what util.inspect shows", `got { password: '${secret}' }`],
    ["a secret behind a line's end", `password: "first\n${secret}"`],
  ])("is known in a text by its form: %s", (_what, text) => {
    const line = written((log) => log.error({ err: new Error(text), text }, text));
    expect(line).not.toContain(secret);
    expect(line).toContain(text.slice(0, 3) === "eyJ" ? "[secret]" : text.slice(0, 6)); // what stands before it stays
  });

  test("is not seen in words about it", () => {
    const words = "accessToken: must not be empty; password: too short; token expired";
    expect(lineOf((log) => log.warn(words))).toMatchObject({ msg: words });
  });

  test("in the parameters of a statement, or the private part of a key, is not shown", () => {
    const statement = Object.assign(new Error("duplicate key"), { sql: "SELECT $1", values: [secret], code: "23505" });
    const key = { kty: "EC", crv: "P-256", x: "x", y: "y", d: secret };
    expect(lineOf((log) => log.error({ err: statement, key, d: "a plain d" }))).toMatchObject({
      err: { type: "Error", message: "duplicate key", sql: "SELECT $1", values: "[secret]", code: "23505" },
      key: { x: "x", d: "[secret]" },
      d: "a plain d",
    });
  });
});

describe("what is logged", () => {
  test("is one line of JSON with level, time, bindings and message", () => {
    expect(lineOf((log) => log.info({ topic: "auth.key.list", list: [1, null, true] }, "said %d", 5))).toEqual({
      level: 30,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      process: "worker",
      topic: "auth.key.list",
      list: [1, null, true],
      msg: "said 5",
    });
  });

  test("stays as it was", () => {
    const request = { password: secret, list: [{ token: secret }] };
    const before = structuredClone(request);
    written((log) => log.info(request));
    expect(request).toEqual(before);
  });

  test("an error alone is err, with its message, stack, cause and code", () => {
    const error = Object.assign(new Error("outer", { cause: new TypeError("inner") }), { code: "ECONNREFUSED" });
    expect(lineOf((log) => log.error(error))).toMatchObject({
      msg: "outer",
      err: {
        type: "Error",
        message: "outer",
        stack: expect.stringContaining("log.test"),
        code: "ECONNREFUSED",
        cause: { type: "TypeError", message: "inner" },
      },
    });
    expect(lineOf((log) => log.error(error, "cannot go on"))).toMatchObject({ msg: "cannot go on" });
  });

  test("is cut where it is deep, big or circular, and nothing that cannot be read throws", () => {
    const circular: Record<string, unknown> = { name: "round" };
    circular["self"] = circular;
    const deep = Array.from({ length: 100 }).reduce<object>((inner) => ({ inner }), { end: true });
    const broken = {
      get bad(): string {
        throw new Error("no");
      },
    };
    const big = Array.from({ length: 10_000 }, (_, at) => ({ at }));
    const long = "x".repeat(1_000_000);
    const text = written((log) => log.info({ circular, deep, broken, big: { big }, long, call: () => secret }));
    expect(text.length).toBeLessThan(300_000);
    expect(text).toContain('"circular":{"name":"round","self":"[circular]"}');
    expect(text).toContain('"broken":"[unreadable]"');
  });

  test("below the level is nothing", () => {
    expect(
      written((log) => {
        log.level = "warn";
        log.info({ password: secret }, "words");
      }),
    ).toBe("");
  });

  describe("is JSON in which no text of a stranger's moves a terminal's cursor or turns what is read around", () => {
    const hostile = "a\u001b[2Jb\u007f\u009b31mc\u202ed\u2028e\u200bf";
    const raw = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b]/u;
    const say = (log: Pick<Logger, "child">): void =>
      log.child({ hostile }).info({ err: new Error(hostile), [hostile]: hostile }, hostile);
    const asItWas = { hostile, [hostile]: hostile, msg: hostile, err: { message: hostile } };

    test("into a stream, and the control: pino alone lets most of them stand", () => {
      const text = written(say);
      expect(text.trimEnd()).not.toMatch(raw);
      expect(JSON.parse(text)).toMatchObject(asItWas);
      const bare: string[] = [];
      say(pino({}, { write: (line: string) => void bare.push(line) }));
      expect(bare.join("").trimEnd()).toMatch(raw);
    });

    test("onto standard output, as in a process", () => {
      const module = pathToFileURL(join(import.meta.dirname, "..", "..", "src", "runtime", "log.ts")).href;
      const code = `
        const { makeLogger } = await import(${JSON.stringify(module)});
        const hostile = ${JSON.stringify(hostile)};
        (${say.toString()})(makeLogger("info", {}));`;
      const text = execFileSync(process.execPath, ["--input-type=module", "--eval", code], { encoding: "utf8" });
      expect(text.trimEnd()).not.toMatch(raw);
      expect(JSON.parse(text)).toMatchObject(asItWas);
    });
  });
});
