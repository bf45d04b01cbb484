// Hashes of other services, made by the libraries themselves (passlib 1.7.4, Django 5, Werkzeug 3, Python's bcrypt 4.0): each is brought
// into its stored form, verified, and stale.
import fc from "fast-check";
import { storedForm } from "../../src/crypto/hash-spellings.ts";
import { hashAlgorithm, makePasswords } from "../../src/crypto/passwords.ts";

const passwords = makePasswords({ memoryKiB: 64, time: 2, parallelism: 1 });

/** All of "correct horse". */
const vectors: [made: string, algorithm: string, hash: string | Record<string, unknown>][] = [
  ["passlib bcrypt", "bcrypt", "$2b$04$gHWeN4/SylvwPsNSAyM8s.EbC4hALAnc1TepstzdNDyxS/x3n9C5W"],
  ["passlib bcrypt 2a", "bcrypt", "$2a$04$ZcwnT.xDE/5HMI1jSSBYw.2FN6qwFMhcy1cZPHkiDDWZhXoClp/gG"],
  ["passlib bcrypt 2y", "bcrypt", "$2y$04$GzKK8g/mImILvT9aj6R6sejeaol2OV6qiOQ1D4meRHwohzDa2erIu"],
  [
    "passlib scrypt",
    "scrypt",
    "$scrypt$ln=10,r=8,p=1$GYNQqhXCuJfS2rtXqjXGmA$L/R6NLREWnKiUgdX/jY+2mU/BCTiiKZMvSuwI9Z7yFQ",
  ],
  [
    "passlib pbkdf2-sha256",
    "pbkdf2-sha256",
    "$pbkdf2-sha256$1000$xdj7fy8lBCCEMGbsPacUYg$k1F8M9uxZlbXYd.N7U12bmCTW3lW51zgGCe6GLekZhI",
  ],
  [
    "passlib pbkdf2-sha512",
    "pbkdf2-sha512",
    "$pbkdf2-sha512$1000$rzVmrBXCeC8FQMjZWyul1A$6taFrspMqpjpCV6V3gNpTyv3R2TbwKMYc22e5yMY8M14TKfy7fkhA1BiOvU48I0K3hEfKBRRt9wT9qj1rokciQ",
  ],
  ["passlib pbkdf2 sha1", "pbkdf2-sha1", "$pbkdf2$1000$bC2l1Pp/jzEmxBijNGaM0Q$cIf6l6ZGGERFGeNb24tj97lDSAs"],
  [
    "passlib argon2id",
    "argon2id",
    "$argon2id$v=19$m=256,t=2,p=1$NQYgRAgBoHROyfkfYyzFGA$LuosQZAjKI/OPEBVkHx0diwsSI1kct75jItYwHXcwdk",
  ],
  [
    "passlib argon2i",
    "argon2i",
    "$argon2i$v=19$m=256,t=2,p=1$knLOGYOwlrK21hrjnJNyLg$jvyutGsG2E0CSXDhBJrdsUk01t65stnLzB9A9STTM+s",
  ],
  [
    "passlib argon2d",
    "argon2d",
    "$argon2d$v=19$m=256,t=2,p=1$MSZEqNU6pxTCGOPcmxNirA$CJTK/PctZIVrZNvrYTf9FoAeO8O+3S++jw1n8wRmTKU",
  ],
  [
    "werkzeug scrypt",
    "scrypt",
    "scrypt:1024:8:1$DN4C3chtdGSHSmd2$b6706426f2e4199a839398d2fd1d1c8b06e7a2a09ed43ba2fbc309fc993f92da4490131354e495cb7f907de1996136ab5d58652c07f922bc7dd108b418398c9c",
  ],
  [
    "werkzeug pbkdf2",
    "pbkdf2-sha256",
    "pbkdf2:sha256:1000$jw2RAM5IHPhIZPzY$f47bc5e44ce2c482db9c8a538cadb15c54dbb5d9771f7fa79022f0968d4f8c6a",
  ],
  [
    "Django pbkdf2_sha256",
    "pbkdf2-sha256",
    "pbkdf2_sha256$1000$saltsaltsaltsalt$BBs+1+PaslLtBPULUr8/lQicvVuHiEPMz0i8MjLCbzM=",
  ],
  ["Django pbkdf2_sha1", "pbkdf2-sha1", "pbkdf2_sha1$1000$saltsaltsaltsalt$EUcKisx+yviAqdTmlEPmy+5ykUU="],
  [
    "Django scrypt",
    "scrypt",
    "scrypt$1024$saltsaltsaltsalt$8$1$A9lBa6RTbfBovWqamVIqXKovIl4Vk6OZyVojLJmYmSKcTeUeY+NUusSAWsrrtKYgxHMy6+bWk1+GJd0o/FW2Bw==",
  ],
  ["Django bcrypt", "bcrypt", "bcrypt$$2b$04$4aZGKg3j9CrunPq0LLVxeOoOpS0AyRF5/WpqoljAJvMDlsmv5rKsy"],
  [
    "Django argon2",
    "argon2id",
    "argon2$argon2id$v=19$m=256,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$j2XvmacbHphFDyyA14YErzZEJ2+WXbUgRbvtE5sDtf0",
  ],
  [
    "the PHC's own text",
    "pbkdf2-sha256",
    "$pbkdf2-sha256$i=1000,l=32$xdj7fy8lBCCEMGbsPacUYg$k1F8M9uxZlbXYd+N7U12bmCTW3lW51zgGCe6GLekZhI",
  ],
  [
    "an object, argon2id",
    "argon2id",
    {
      algorithm: "argon2id",
      memoryKiB: 256,
      time: 2,
      parallelism: 1,
      salt: "nlNqrXXuvRfCuJcy5hxjLA==",
      hash: "BYQxeu7FwTuend2mWS8t+X/5ojNd212jB+y1NS9So2o=",
    },
  ],
  [
    "an object, bcrypt",
    "bcrypt",
    { algorithm: "bcrypt", hash: "$2b$04$uSmRrGyk/oXsaULeM73tEeUa3k2b2mmVp.kIcddbTVFtk6fztcGRi" },
  ],
  [
    "an object, scrypt",
    "scrypt",
    {
      algorithm: "scrypt",
      N: 1024,
      r: 8,
      p: 1,
      salt: "d875v9c65zwH4JwTAkAIAQ",
      hash: "6JSN8gH/7FpCUMhmNAx+lTcUa0NgHG8VRwtjGLQX49w",
    },
  ],
  [
    "an object, pbkdf2, hexadecimal",
    "pbkdf2-sha256",
    {
      algorithm: "pbkdf2",
      digest: "sha256",
      rounds: 1000,
      encoding: "hex",
      salt: Buffer.from("liwuzXUEol6DnrdT").toString("hex"),
      hash: "bdbf23e6cdfe0722f41e25dd260b84ca1e1386176ada3f5b993266e0e53aaf62",
    },
  ],
];

describe("a hash of another service", () => {
  test.each(vectors)("by %s is verified as %s, and stale", async (_made, algorithm, hash) => {
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
    ["an older Argon2", `$argon2i$v=16$m=64,t=2,p=1$${salt}$${tag}`],
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
