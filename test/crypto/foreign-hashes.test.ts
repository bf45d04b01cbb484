// Hashes of other services, made by the libraries themselves: each is brought into its stored form, verified, and
// stale; and its owner logs in with it once, after which there is one of ours.
import fc from "fast-check";
import { sql } from "slonik";
import { hashName } from "../../src/crypto/hash-names.ts";
import { storedForm } from "../../src/crypto/hash-spellings.ts";
import { hashAlgorithm, makePasswords } from "../../src/crypto/passwords.ts";
import { foreignHashes } from "../support/foreign-hashes.ts";
import { account, type HandlerHarness, handlerHarness } from "../support/handlers.ts";

const passwords = makePasswords({ memoryKiB: 64, time: 2, parallelism: 1 });

describe("a hash of another service", () => {
  test.each(foreignHashes)("by %s is verified as %s, and stale", async (_made, algorithm, hash) => {
    const stored = storedForm(hash)!;
    expect(hashAlgorithm(stored)).toMatchObject({ algorithm });
    expect(await passwords.verify("correct horse", stored)).toEqual({ ok: true, stale: true });
    expect(await passwords.verify("Correct horse", stored)).toEqual({ ok: false, stale: false });
    expect(await passwords.verify("", stored)).toEqual({ ok: false, stale: false });
  });

  /** RFC 7914, section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1). */
  test("by scrypt is verified as in RFC 7914", async () => {
    const tag =
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
    const salt = Buffer.from("SodiumChloride").toString("hex");
    const stored = storedForm({ algorithm: "scrypt", N: 16_384, r: 8, p: 1, encoding: "hex", salt, hash: tag })!;
    expect(await passwords.verify("pleaseletmein", stored)).toEqual({ ok: true, stale: true });
  });

  test("made of a text that NFKC changes is verified as it was made", async () => {
    const password = "fiance\u0301";
    const raw = "$2b$04$RPk//UU8qwn8ebH/XiFi4uzhgvsUmrex93ldSjSzyXOB4eVVYyem2";
    expect(await passwords.verify(password, raw)).toEqual({ ok: true, stale: true });
    expect((await passwords.verify("fianc\u00e9", raw)).ok).toBe(false);
  });
});

describe("bcrypt", () => {
  const eighty = "$2b$04$/wt6iNL09/xcVjWAFlCP5.Dn7uhV2tL6NOP/Lx44k4jSo113tsH0.";
  const threeHundred = "$2a$04$xzQyJYZVLGtGZxQgCqyJKeEJSG7FFQNmmifhqPMx6sIspd0LovIza";

  test("reads 72 bytes of a password, also of one that $2a$ of OpenBSD would read otherwise; the hash made in its place reads all", async () => {
    for (const [length, stored] of [
      [80, eighty],
      [300, threeHundred],
    ] as const) {
      expect(await passwords.verify("x".repeat(length), stored)).toEqual({ ok: true, stale: true });
      expect((await passwords.verify("x".repeat(72), stored)).ok).toBe(true);
      expect((await passwords.verify("x".repeat(71), stored)).ok).toBe(false);
    }
    const whole = await passwords.hash("x".repeat(80));
    expect((await passwords.verify("x".repeat(72), whole)).ok).toBe(false);
  });
});

describe("a stored text", () => {
  const salt = "c29tZXNhbHRzb21lc2FsdA";
  const tag = "0".repeat(43);
  test.each([
    ["bcrypt of cost 16", `$2b$16$${"a".repeat(53)}`],
    ["bcrypt of cost 31", `$2b$31$${"a".repeat(53)}`],
    ["bcrypt of cost 3", `$2b$03$${"a".repeat(53)}`],
    ["scrypt of 512 MiB", `$scrypt$ln=19,r=8,p=1$${salt}$${tag}`],
    ["scrypt of N 2^62", `$scrypt$ln=62,r=8,p=1$${salt}$${tag}`],
    ["scrypt of 17 lanes", `$scrypt$ln=4,r=8,p=17$${salt}$${tag}`],
    ["scrypt of much work", `$scrypt$ln=17,r=8,p=5$${salt}$${tag}`],
    ["scrypt of N 1", `$scrypt$ln=0,r=8,p=1$${salt}$${tag}`],
    ["pbkdf2 of 5,000,001 rounds", `$pbkdf2-sha256$5000001$${salt}$${tag}`],
    ["pbkdf2 of no round", `$pbkdf2-sha256$0$${salt}$${tag}`],
    ["argon2i of 2 GiB", `$argon2i$v=19$m=2097152,t=2,p=1$${salt}$${tag}`],
    ["argon2d of 17 passes", `$argon2d$v=19$m=64,t=17,p=1$${salt}$${tag}`],
    ["argon2id of 17 passes", `$argon2id$v=19$m=64,t=17,p=1$${salt}$${tag}`],
  ])("of %s is beyond, and never matches at the price of the dummy", async (_name, stored) => {
    expect(hashAlgorithm(stored)).toBe("beyond");
    expect(passwords.costClass(stored)).toBe("");
    expect(await passwords.verify("x", stored)).toEqual({ ok: false, stale: false });
  });

  test.each([
    ["bcrypt with PHP's old fault", `$2x$10$${"a".repeat(53)}`],
    [
      "bcrypt over a digest, as passlib has it",
      "$bcrypt-sha256$v=2,t=2b,r=4$VAVMBX5VVeKM680nAgl7Ne$PGmYgVdrXAMMwpDmOEpv1aAWswxvPie",
    ],
    [
      "bcrypt over a digest, as Django has it",
      "bcrypt_sha256$$2b$04$PxPYDQc3rJiuFQsjKmqwZ.c8iyLlTjMHP8bA95GfBRGNAuxWt67u.",
    ],
    ["bcrypt cut short", "$2b$10$abc"],
    ["an MD5", "5f4dcc3b5aa765d61d8327deb882cf99"],
    ["a plain text", "correct horse"],
    ["a tag of 4 bytes", `$pbkdf2-sha256$1000$${salt}$AAAAAA`],
    ["an Argon2 of a version that there is not", `$argon2i$v=17$m=64,t=2,p=1$${salt}$${tag}`],
    ["an Argon2 with a parameter twice", `$argon2i$v=19$m=64,t=2,p=1,m=64$${salt}$${tag}`],
    ["an Argon2 with a secret key of its service", `$argon2id$v=19$m=64,t=2,p=1,keyid=c2VjcmV0$${salt}$${tag}`],
    ["scrypt with a N that is no power of two", `scrypt$1000$saltsalt$8$1$${tag}=`],
  ])("that is %s is not known", (_name, hash) => {
    const stored = storedForm(hash);
    if (stored !== undefined) expect(hashAlgorithm(stored)).toBe("unknown");
  });

  test.each([
    [{ algorithm: "scrypt", N: 1024, r: 8, salt, hash: tag }],
    [{ algorithm: "scrypt", N: "1024", r: 8, p: 1, salt, hash: tag }],
    [{ algorithm: "pbkdf2", digest: "md5", rounds: 1000, salt, hash: tag }],
    [{ algorithm: "argon2id", memoryKiB: 64, time: 2, parallelism: 1, hash: tag }],
    [{ algorithm: "argon2id", memoryKiB: 64, time: 2, parallelism: 1, salt, hash: tag, encoding: "utf8" }],
    [{ algorithm: "firebase-scrypt", salt, hash: tag }],
    [{}],
  ])("as an object that says too little, or of no known algorithm, is not known: %j", (object) => {
    expect(storedForm(object)).toBeUndefined();
  });

  test("of any kind never is a fault", async () => {
    const parts = fc.constantFrom(
      "$2b$",
      "$scrypt$",
      "ln=1,r=1,p=1",
      "$pbkdf2",
      "-sha256$",
      "1$",
      "$argon2i$v=19$",
      "m=64,t=1,p=1",
      salt,
      tag,
      "$",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(parts, fc.string()), { maxLength: 8 }), async (texts) => {
        const stored = storedForm(texts.join(""));
        if (stored !== undefined) expect((await passwords.verify("y", stored)).ok).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
});

test("hashes of one cost are of one class, and those of the current parameters of the usual one", async () => {
  expect(passwords.costClass(undefined)).toBe("");
  expect(passwords.costClass(await passwords.hash("x"))).toBe("");
  expect(passwords.costClass(`$2b$10$${"a".repeat(53)}`)).toBe("bcrypt 2^10");
  expect(passwords.costClass(`$2a$12$${"a".repeat(53)}`)).toBe("bcrypt 2^12");
  expect(passwords.costClass("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$0000000000000000000000")).toBe(
    "argon2id 2^18",
  );
});

describe("a hash that is not verified here has a name", () => {
  test.each([
    ["$1$v/Det30X$hR1I7hHNReWLAcCBRSpqN0", "md5-crypt"],
    ["$6$rounds=656000$VKcIUEQY8putr3po$jAwDyu/GrbVbYOEu5hFeoVzd", "sha512-crypt"],
    ["{CRYPT}$5$rounds=535000$TDClr9ys5IlklU18$CY3vMJXspvRhs2KExiy3so", "sha256-crypt"],
    ["$P$HSIzUXOYWQPCfuTX2COuxd3i4FXQ0U0", "phpass"],
    ["$apr1$eDBSm3Qb$Sk0etmOVwpeAx8iO5YzBm.", "apr1"],
    ["$y$j9T$abc$def", "yescrypt"],
    ["$2x$10$abc", "bcrypt-2x"],
    ["bcrypt_sha256$$2b$04$PxPYDQc3rJiuFQsjKmqwZ.c8iyLlTjMHP8bA95GfBRGNAuxWt67u.", "bcrypt-sha256"],
    ["$argon2id$v=19$m=64,t=2,p=1,keyid=c2VjcmV0$c2FsdHNhbHQ$AAAA", "argon2 with a secret key"],
    ["argon2$argon2i$v=17$m=64,t=2,p=1$c2FsdHNhbHQ$AAAA", "argon2i"],
    ["sha1$6Qpf65d0HAPG$6655019e5436c748763916120322fbf578532406", "salted digest"],
    ["{SSHA}4vpoa8dU0ymhR9iumuSA54DOMRC29t67", "digest"],
    ["3cb4e732631f47e6eb961f34554b7cde", "digest"],
    ["correct horse", "unknown"],
    ["$hunter2$", "unknown"],
    ["hunter2:x", "unknown"],
    [{ algorithm: "firebase-scrypt", hash: "x" }, "firebase-scrypt"],
    [{ algorithm: "Correct Horse!" }, "unknown"],
    [{}, "unknown"],
    [17, "unknown"],
    [null, "unknown"],
  ])("%j: %s", (hash, name) => {
    expect(hashName(hash)).toBe(name);
  });

  test("that never is a part of the text", () => {
    const known = new Set(foreignHashes.map(([, , hash]) => hashName(hash)));
    fc.assert(
      fc.property(
        fc.string(),
        (text) => void (known.has(hashName(text)) || expect(hashName(text)).toMatch(/^[a-zA-Z0-9 .-]+$/)),
      ),
    );
  });
});

describe("whoever was imported with one", () => {
  let harness: HandlerHarness;
  beforeAll(async () => {
    harness = await handlerHarness({ cheapHashes: true });
  }, 60_000);
  afterAll(() => harness.close());

  test("logs in with it once, and then with a hash of ours", async () => {
    const { login, id } = await account(harness);
    for (const [made, , hash] of foreignHashes) {
      const stored = storedForm(hash)!;
      await harness.pool.query(sql.unsafe`UPDATE credentials SET hash = ${stored} WHERE user_id = ${id}`);
      for (const password of ["correct horse", "correct horse"]) {
        const { tokens } = await harness.ask("auth.session.login", { login, password });
        expect([made, tokens?.userId]).toEqual([made, id]);
      }
      const now = await harness.pool.oneFirst(sql.unsafe`SELECT hash FROM credentials WHERE user_id = ${id}`);
      expect([made, now]).toEqual([made, expect.stringMatching(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/)]);
    }
  }, 60_000);
});
