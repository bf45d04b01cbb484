// Operators as the fleet knows them: enrolled, acting with tokens of their own, removed; and as authctl enrols them.
// The token itself, claim by claim, is in test/crypto/operators.test.ts.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { SignJWT } from "jose";
import { sql } from "slonik";
import { z } from "zod";
import { enrollOperator } from "../../src/accounts/enroll-operator.ts";
import { ctl } from "../../src/authctl/index.ts";
import { newSigner, type OperatorSigner, signerFrom, signOperatorToken } from "../../src/crypto/operators.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Refusal } from "../../src/protocol/errors.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";
import { ownFolder } from "../support/stack.ts";

let harness: HandlerHarness;
/** Enrolled with the master key, may do everything. */
let ada: OperatorSigner;
beforeAll(async () => {
  harness = await handlerHarness({ cheapHashes: true });
  ada = await signerFrom(newSigner("ada"));
  await enrollOperator(partsOf(harness), { name: "ada", key: ada, reason: "a test", first: true });
}, 60_000);
afterAll(() => harness.close());

const partsOf = ({ pool, dataKeys }: HandlerHarness) => ({ pool, clock: systemClock, dataKeys });
const sign = (name = "ada", signer = ada, now = systemClock.now()) =>
  signOperatorToken(signer, { name, issuer: "auth", now });
const newName = (): string => `o${randomBytes(5).toString("hex")}`;
const newKey = (): Promise<OperatorSigner> => signerFrom(newSigner("x"));
const publicKey = ({ jwk }: OperatorSigner): string => JSON.stringify(jwk);

const row = z.record(z.string(), z.unknown());
const all = (query: ReturnType<typeof sql.fragment>) => harness.pool.any(sql.type(row)`${query}`);
const events = (key: string) =>
  all(
    sql.fragment`SELECT kind, actor, body - 'at' AS body FROM outbox WHERE key = ${key} AND topic = 'auth.event' ORDER BY id`,
  );

async function refused(asking: Promise<unknown>): Promise<Refusal> {
  const answer = await asking.catch((error: unknown) => error);
  if (answer instanceof Refusal) return answer;
  throw answer instanceof Error ? answer : new Error("it was not refused");
}
const codeOf = async (asking: Promise<unknown>): Promise<string> => (await refused(asking)).code;

/** Another operator, with these permissions and a key of their own. */
async function operator(...permissions: string[]): Promise<{ name: string; signer: OperatorSigner; sign(): string }> {
  const [name, signer] = [newName(), await newKey()];
  await harness.ask("auth.admin.add-operator", { actorToken: sign(), name, publicKey: publicKey(signer), permissions });
  return { name, signer, sign: () => sign(name, signer) };
}

const list = (actorToken = sign()) => harness.ask("auth.admin.list-operators", { actorToken });
const remove = (name: string, kid: string | null = null, actorToken = sign()) =>
  harness.ask("auth.admin.remove-operator", { actorToken, name, kid, reason: "a test" });

describe("the first operator", () => {
  test("is one, however many are enrolled with the master key at once; and is enrolled again without effect", async () => {
    const empty = await handlerHarness({ cheapHashes: true });
    const keys = await Promise.all(Array.from({ length: 8 }, newKey));
    const enrol = (at: number) =>
      enrollOperator(partsOf(empty), { name: `o${at}`, key: keys[at]!, reason: "", first: true }).catch(
        (error: Refusal) => error.code,
      );
    const outcomes = await Promise.all(keys.map((_, at) => enrol(at)));
    expect([...outcomes].sort()).toEqual([...Array(7).fill("FORBIDDEN"), true].sort());
    const winner = outcomes.indexOf(true);
    expect(await enrol(winner)).toBe(false);
    expect(await enrol((winner + 1) % 8)).toBe("FORBIDDEN");
    await empty.close();
  });

  test("may do everything, and the event says that it was the master key's", async () => {
    expect((await list()).operators.find(({ name }) => name === "ada")).toEqual({
      name: "ada",
      permissions: ["*"],
      keys: [{ kid: ada.kid, alg: "EdDSA", addedAt: expect.any(Number) }],
    });
    const body = { operator: "ada", kid: ada.kid, permissions: ["*"], reason: "a test" };
    expect(await events("operator:ada")).toEqual([{ kind: "OperatorAdded", actor: "system:master-key", body }]);
  });
});

describe("an operator", () => {
  test("is enrolled by another, acts in their own name with what they may, and is gone from the next request on", async () => {
    const olga = await operator("users.read", "users.ban");
    const { id } = await account(harness);
    const ban = (actorToken: string) =>
      harness.ask("auth.admin.ban-user", { actorToken, target: `id:${id}`, reason: "spam", until: null });
    expect(await ban(olga.sign())).toEqual({ userId: id, until: null });
    expect((await events(String(id))).at(-1)).toMatchObject({ kind: "UserBanned", actor: `operator:${olga.name}` });
    const lacking = await refused(
      harness.ask("auth.admin.delete-user", { actorToken: olga.sign(), target: `id:${id}` }),
    );
    expect([lacking.code, lacking.details]).toEqual(["FORBIDDEN", { permission: "users.delete" }]);
    expect((await events(`operator:${olga.name}`)).at(-1)).toMatchObject({
      kind: "AdminRefused",
      actor: `operator:${olga.name}`,
      body: { command: "delete-user", target: `id:${id}`, permission: "users.delete" },
    });
    const token = olga.sign();
    expect(await remove(olga.name)).toEqual({ name: olga.name, removed: true });
    expect(await codeOf(ban(token))).toBe("TOKEN_INVALID");
    expect(await codeOf(ban(olga.sign()))).toBe("TOKEN_INVALID");
    expect((await list()).operators.some(({ name }) => name === olga.name)).toBe(false);
    const kinds = (await events(`operator:${olga.name}`)).map(({ kind, actor }) => [kind, actor]);
    expect(kinds).toEqual([
      ["OperatorAdded", "operator:ada"],
      ["AdminRefused", `operator:${olga.name}`],
      ["OperatorRemoved", "operator:ada"],
    ]);
  });

  test("has several keys, each good until it is removed; the last one takes the operator along", async () => {
    const olga = await operator("operators.manage");
    const second = await newKey();
    const add = (key: OperatorSigner, actorToken = olga.sign()) =>
      harness.ask("auth.admin.add-operator", { actorToken, name: olga.name, publicKey: publicKey(key) });
    expect(await add(second)).toEqual({ name: olga.name, kid: second.kid, permissions: ["operators.manage"] });
    await list(sign(olga.name, second));
    await list(olga.sign());
    expect(await remove(olga.name, olga.signer.kid, sign(olga.name, second))).toEqual({
      name: olga.name,
      removed: false,
    });
    expect(await codeOf(list(olga.sign()))).toBe("TOKEN_INVALID");
    await list(sign(olga.name, second));
    expect(await codeOf(remove(olga.name, olga.signer.kid))).toBe("NOT_FOUND");
    expect(await remove(olga.name, second.kid)).toEqual({ name: olga.name, removed: true });
    expect(await codeOf(remove(olga.name))).toBe("NOT_FOUND");
  });

  test("is an administrator's to enrol and remove too, as far as that one may", async () => {
    const { id, login, password } = await account(harness);
    await harness.ask("auth.admin.set-roles", { actorToken: sign(), target: `id:${id}`, roles: ["admin"] });
    const { tokens } = await harness.ask("auth.session.login", { login, password, rotating: true });
    const actorToken = tokens!.accessToken;
    const add = (permissions: string[], name = newName()) =>
      newKey().then((key) =>
        harness.ask("auth.admin.add-operator", { actorToken, name, publicKey: publicKey(key), permissions }),
      );
    const { name } = await add(["users.ban"]);
    expect(await remove(name, null, actorToken)).toEqual({ name, removed: true });
    expect(await codeOf(add(["*"]))).toBe("FORBIDDEN");
    expect(await codeOf(remove("ada", null, actorToken))).toBe("FORBIDDEN");
  });

  test("is refused with a bad name, key or permissions, and a private key is not repeated", async () => {
    const key = await newKey();
    const secret = key.privateKey.export({ format: "jwk" });
    const sound = { name: newName(), publicKey: publicKey(key), permissions: ["users.ban"] };
    const add = (change: object) => harness.ask("auth.admin.add-operator", { actorToken: sign(), ...sound, ...change });
    const there = await operator("users.ban");
    const bad: [string, object][] = [
      ["name", { name: "a b" }],
      ["name", { name: "" }],
      ["publicKey", { publicKey: "{}" }],
      ["publicKey", { publicKey: "no JSON" }],
      [
        "publicKey",
        {
          publicKey: JSON.stringify(
            generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" }),
          ),
        },
      ],
      ["publicKey", { publicKey: JSON.stringify(secret) }],
      ["permissions", { permissions: [] }],
      ["permissions", { permissions: ["*", "users.ban"] }],
      ["permissions", { permissions: ["Users Ban"] }],
      ["permissions", { permissions: Array.from({ length: 257 }, (_, at) => `p.${at}`) }],
      ["permissions", { name: there.name }],
      ["publicKey", { name: there.name, permissions: [], publicKey: publicKey(there.signer) }],
    ];
    for (const [field, change] of bad) {
      const { code, details, message } = await refused(add(change));
      expect([change, code, details]).toEqual([change, "INVALID_INPUT", { field }]);
      expect(message).not.toContain(secret.d!);
    }
    await add({}); // the control
    for (let more = 0; more < 7; more += 1)
      await add({ name: there.name, permissions: [], publicKey: publicKey(await newKey()) });
    expect(await codeOf(add({ name: there.name, permissions: [], publicKey: publicKey(await newKey()) }))).toBe(
      "INVALID_INPUT",
    );
  });

  test("is made by nobody who can only write to the database", async () => {
    const [eve, encrypted] = [
      await newKey(),
      await all(sql.fragment`SELECT encrypted FROM operators WHERE name = 'ada'`),
    ];
    const insert = (name: string, bytes: Buffer) =>
      all(sql.fragment`INSERT INTO operators (name, encrypted) VALUES (${name}, ${sql.binary(bytes)}) RETURNING 1`);
    await insert("eve", encrypted[0]!["encrypted"] as Buffer); // another's row under their own name
    const plain = Buffer.from(
      JSON.stringify({ permissions: ["*"], keys: [{ kid: eve.kid, alg: eve.alg, jwk: eve.jwk, addedAt: 0 }] }),
    );
    await insert("mallory", Buffer.concat([(encrypted[0]!["encrypted"] as Buffer).subarray(0, 33), plain]));
    for (const [name, signer] of [
      ["eve", ada],
      ["eve", eve],
      ["mallory", eve],
    ] as const)
      expect(await codeOf(list(sign(name, signer)))).toBe("TOKEN_INVALID");
    const names = (await list()).operators.map(({ name }) => name);
    expect([names.includes("ada"), names.includes("eve"), names.includes("mallory")]).toEqual([true, false, false]);
    await all(sql.fragment`DELETE FROM operators WHERE name IN ('eve', 'mallory') RETURNING 1`);
  });
});

describe("a token", () => {
  test("is judged by when the broker took its record, whenever it is read", async () => {
    const now = systemClock.now();
    const token = sign("ada", ada, now);
    const at = (recordedAt: number) =>
      harness.outcome("auth.admin.list-operators", { actorToken: token }, { recordedAt });
    const times = [0, 64_000, 66_000, 86_400_000, -4000, -7000].map((ms) => at(now + ms));
    expect(await Promise.all(times)).toEqual(["ok", "ok", "TOKEN_EXPIRED", "TOKEN_EXPIRED", "ok", "TOKEN_INVALID"]);
  });

  test("of the fleet's own key, as the master key once made them, counts no more; nor one of nobody's, or an unknown key's", async () => {
    const stranger = await newKey();
    const foreign = (header: object, claims: object) =>
      new SignJWT({ iss: "operator:ada", sub: "operator:ada", aud: "auth", ...claims })
        .setProtectedHeader({ alg: "EdDSA", typ: "operator+jwt", kid: ada.kid, ...header })
        .setIssuedAt()
        .setExpirationTime("60 s")
        .sign(stranger.privateKey);
    const tokens = [
      await foreign({}, {}),
      await foreign({ kid: stranger.kid }, {}),
      await foreign({}, { sub: "operator:nobody", iss: "operator:nobody" }),
      await foreign({}, { sub: "operator:", iss: "operator:" }),
      sign("ada", stranger),
      sign("nobody", ada),
      sign("ada", { ...ada, kid: stranger.kid }),
      "x.y.z",
    ];
    for (const actorToken of tokens)
      expect([actorToken, await codeOf(list(actorToken))]).toEqual([actorToken, "TOKEN_INVALID"]);
    expect(await codeOf(list(""))).toBe("INVALID_INPUT");
    expect(await codeOf(harness.ask("auth.session.inspect", { accessToken: sign() }))).toBe("TOKEN_INVALID");
    await list(); // the control
  });

  test("made anew makes the same request: one effect, the first answer; another operator's makes another, and a bad one gets no answer", async () => {
    const olga = await operator("users.ban");
    const { id } = await account(harness);
    const idempotencyKey = randomBytes(16);
    const now = systemClock.now();
    const ban = (actorToken: string, reason = "spam") =>
      harness.ask("auth.admin.ban-user", { actorToken, target: `id:${id}`, reason, until: null }, { idempotencyKey });
    const bans = async () => (await events(String(id))).filter(({ kind }) => kind === "UserBanned").length;
    const first = await ban(olga.sign());
    expect(await ban(sign(olga.name, olga.signer, now + 2000))).toEqual(first);
    expect(await bans()).toBe(1);
    const stranger = await newKey();
    expect(await codeOf(ban(sign(olga.name, { ...olga.signer, privateKey: stranger.privateKey })))).toBe(
      "TOKEN_INVALID",
    );
    expect(await codeOf(ban(sign(olga.name, olga.signer, now - 600_000)))).toBe("TOKEN_EXPIRED");
    expect(await codeOf(ban(sign()))).toBe("IDEMPOTENCY_CONFLICT");
    expect(await codeOf(ban(sign(olga.name, olga.signer, now + 1000), "another reason"))).toBe("IDEMPOTENCY_CONFLICT");
    await remove(olga.name);
    expect(await codeOf(ban(sign(olga.name, olga.signer, now + 3000)))).toBe("TOKEN_INVALID");
    expect(await bans()).toBe(1);
  });

  test("of an operator who removed themselves has its first answer when the record is read again", async () => {
    const olga = await operator("operators.manage");
    const [actorToken, idempotencyKey] = [olga.sign(), randomBytes(16)];
    const leave = (token: string) =>
      harness.ask("auth.admin.remove-operator", { actorToken: token, name: olga.name, kid: null }, { idempotencyKey });
    expect(await leave(actorToken)).toEqual({ name: olga.name, removed: true });
    expect(await leave(actorToken)).toEqual({ name: olga.name, removed: true });
    expect(await codeOf(leave(sign(olga.name, olga.signer, systemClock.now() + 1000)))).toBe("TOKEN_INVALID");
  });
});

describe("authctl operators", () => {
  const folder = ownFolder("operators");
  const file = (): string => join(folder, newName());
  const said: string[] = [];
  /** Against these handlers, without Kafka. */
  async function authctl(env: Record<string, string>, ...args: string[]): Promise<{ code: number; out: string }> {
    said.length = 0;
    const say = (line: string): void => void said.push(line);
    const client = { request: harness.ask };
    const code = await ctl(
      args,
      { AUTH_KAFKA_BROKERS: "127.0.0.1:1", XDG_STATE_HOME: folder, ...env },
      {
        terminal: { out: say, err: say, input: async () => "", paint: (_colour, text) => text },
        reach: (async ({ config }: { config: unknown }, use: (fleet: unknown) => Promise<unknown>) =>
          use({ client, config })) as never,
      },
    );
    return { code, out: said.join("\n") };
  }

  test("add --first enrols the first with the master key and a new key, lets no second in, and the key acts from then on", async () => {
    const before = harness;
    harness = await handlerHarness({ cheapHashes: true });
    const [key, other] = [file(), file()];
    const first = await authctl(harness.env, "operators", "add", "ruth", "--first", "--new-key", key);
    expect(first).toEqual({
      code: 0,
      out: expect.stringMatching(/^ruth is an operator with the key \S+ and may do: everything\.$/),
    });
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(await authctl(harness.env, "operators", "add", "ruth", "--first", "--key", key)).toMatchObject({ code: 0 });
    expect(await authctl(harness.env, "operators", "add", "eve", "--first", "--new-key", other)).toMatchObject({
      code: 1,
      out: expect.stringContaining("There are operators already"),
    });
    expect(existsSync(other)).toBe(false);
    const asRuth = { AUTH_OPERATOR_KEY_FILE: key }; // neither the database nor the master key
    const pem = file();
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(pem, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
    const add = [
      "operators",
      "add",
      "sue",
      "--key",
      pem,
      "--permission",
      "operators.manage",
      "--permission",
      "users.ban",
    ];
    expect(await authctl(asRuth, ...add)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/operators\.manage, users\.ban\.$/),
    });
    const listed = await authctl({ AUTH_OPERATOR_KEY_FILE: pem }, "operators", "list", "--as", "sue", "--json");
    const { operators } = JSON.parse(listed.out) as { operators: { name: string; keys: { alg: string }[] }[] };
    expect(operators.map(({ name, keys }) => [name, keys.map(({ alg }) => alg)])).toEqual([
      ["ruth", ["EdDSA"]],
      ["sue", ["ES256"]],
    ]);
    expect(await authctl(asRuth, "operators", "remove", "sue", "--yes")).toMatchObject({
      code: 0,
      out: "sue is an operator no more.",
    });
    expect(await authctl({ AUTH_OPERATOR_KEY_FILE: pem }, "operators", "list", "--as", "sue")).toMatchObject({
      code: 1,
    });
    await harness.close();
    harness = before;
  });

  test("take no key that others may read, or that is none, and say what is lacking", async () => {
    const key = file();
    writeFileSync(key, newSigner("ada"), { mode: 0o600 });
    for (const mode of [0o644, 0o640, 0o604, 0o660, 0o700]) {
      chmodSync(key, mode);
      const refusal = await authctl({ AUTH_OPERATOR_KEY_FILE: key }, "operators", "list");
      expect(refusal).toMatchObject({ code: 2, out: expect.stringContaining("must have 0600") });
    }
    chmodSync(key, 0o600);
    const out = async (env: Record<string, string>, ...more: string[]) =>
      (await authctl(env, "operators", "list", ...more)).out;
    expect(await out({ AUTH_OPERATOR_KEY_FILE: key })).toMatch(/^Refused with TOKEN_INVALID/); // the control: read, and not enrolled
    expect(await out({})).toMatch(/AUTH_OPERATOR_KEY_FILE is not set, and nobody is logged in/);
    expect(await out({ AUTH_OPERATOR_KEY_FILE: `${key}.gone` })).toMatch(/cannot be read/);
    writeFileSync(key, JSON.stringify({ ...JSON.parse(readFileSync(key, "utf8")), operator: undefined }));
    expect(await out({ AUTH_OPERATOR_KEY_FILE: key })).toMatch(/does not say whose key it is: say --as NAME/);
    writeFileSync(key, "no key");
    expect(await out({ AUTH_OPERATOR_KEY_FILE: key }, "--as", "ada")).toMatch(/must be a private key for ES256/);
    expect(await out({ AUTH_OPERATOR_KEY_FILE: key }, "--as", "a b")).toMatch(/--as takes 1 to 64/);
  });

  test("with the master key and the database alone act as nobody", async () => {
    for (const args of [
      ["operators", "list"],
      ["users", "ban", "mallory", "--reason", "x", "--yes"],
      ["users", "show", "mallory", "--as", "ada"],
    ])
      expect(await authctl(harness.env, ...args)).toMatchObject({
        code: 2,
        out: expect.stringContaining("AUTH_OPERATOR_KEY_FILE"),
      });
  });

  test.each([
    [["operators", "add", "x"], /Say --key FILE or --new-key FILE/],
    [["operators", "add", "x", "--key", "a", "--new-key", "b"], /Say --key FILE or --new-key FILE/],
    [["operators", "add", "a b", "--new-key", "x"], /An operator's name/],
    [["operators", "add", "x", "--key", "/is/not/there"], /--key: /],
    [["operators", "add", "x", "--first", "--new-key", "/is/not/there"], /--new-key: /],
  ])("%j is called wrongly", async (args, sentence) => {
    expect(await authctl(harness.env, ...args)).toEqual({ code: 2, out: expect.stringMatching(sentence) });
  });
});
