import { createHmac } from "node:crypto";
import fc from "fast-check";
import { makePasswords, type Passwords } from "../../src/crypto/passwords.ts";

const cheap = { memoryKiB: 64, time: 2, parallelism: 1 };

/** A stored hash with these parameters; its tag matches nothing. */
function stored(parameters: string, rest = "c29tZXNhbHRzb21lc2FsdA$0000000000000000000000"): string {
  return `$argon2id$v=19$${parameters}$${rest}`;
}

/**
 * CPU time of all threads of this process in ms, the least of five runs: what a hash costs, whatever else the machine
 * is doing.
 */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let each = 0; each < 5; each += 1) {
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return Math.min(...times);
}

describe("passwords", () => {
  let passwords: Passwords;
  beforeAll(() => {
    passwords = makePasswords(cheap);
  });

  it("verify against their own hash, and only they", async () => {
    const hash = await passwords.hash("correct horse");
    expect(await passwords.verify("correct horse", hash)).toEqual({ ok: true, stale: false });
    expect(await passwords.verify("Correct horse", hash)).toEqual({ ok: false, stale: false });
    expect(await passwords.verify("", hash)).toEqual({ ok: false, stale: false });
  });

  it("are hashed in the form every Argon2 library reads, with a new salt each time", async () => {
    const [first, second] = [await passwords.hash("same"), await passwords.hash("same")];
    expect(first).toMatch(/^\$argon2id\$v=19\$m=64,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(second).not.toBe(first);
  });

  /** phc-winner-argon2's test.c: argon2id, v=19, t=2, m=2^8, p=1, "password", "somesalt". */
  it("verify against the reference implementation's test vector", async () => {
    const vector = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    expect(await passwords.verify("password", vector)).toEqual({ ok: true, stale: true });
    expect(await passwords.verify("differentpassword", vector)).toEqual({ ok: false, stale: false });
  });

  it("are stale when the parameters have changed since", async () => {
    const hash = await passwords.hash("x");
    for (const change of [{ memoryKiB: 128 }, { time: 3 }, { parallelism: 2 }]) {
      const later = makePasswords({ ...cheap, ...change });
      expect(await later.verify("x", hash)).toEqual({ ok: true, stale: true });
    }
  });

  /** NIST SP 800-63B, 5.1.1.2: NFKC or NFKD before hashing. */
  it("are one password however a keyboard composes them", async () => {
    const hash = await passwords.hash("ﬁancé"); // ligature fi, precomposed e
    expect(await passwords.verify("fiance\u0301", hash)).toEqual({ ok: true, stale: false });
    expect((await passwords.verify("fiance", hash)).ok).toBe(false);
  });

  it("of the old service, hashed from the raw text, are accepted and stale", async () => {
    const { hash: argon2 } = await import("argon2");
    const raw = "fiance\u0301";
    const old = await argon2(raw, { memoryCost: 64, timeCost: 2, parallelism: 1 });
    // The package puts p before t, passlib does not.
    const passlib = old.replace("m=64,p=1,t=2", "m=64,t=2,p=1");
    expect(await passwords.verify(raw, passlib)).toEqual({ ok: true, stale: true });
    expect((await passwords.verify("fianc\u00e9", passlib)).ok).toBe(false);
  });

  it("of an unknown login are never right, whatever they are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), async (password) => {
        expect(await passwords.verify(password, undefined)).toEqual({ ok: false, stale: false });
      }),
      { numRuns: 20 },
    );
  });

  it.each([
    ["2 GiB of memory", stored("m=2097152,t=2,p=1")],
    ["17 passes", stored("m=64,t=17,p=1")],
    ["17 lanes", stored("m=1024,t=2,p=17")],
    ["less memory than the lanes need", stored("m=64,t=2,p=16")],
    ["no pass", stored("m=64,t=0,p=1")],
    ["no lane", stored("m=64,t=1,p=0")],
    ["an empty tag", "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$"],
    ["a tag of 4 bytes", stored("m=64,t=2,p=1", "c29tZXNhbHRzb21lc2FsdA$AAAAAA")],
    ["another version", stored("m=64,t=2,p=1").replace("v=19", "v=16")],
    ["another kind", stored("m=64,t=2,p=1").replace("argon2id", "argon2i")],
    ["bcrypt", "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW"],
    ["nothing", ""],
    ["noise", "\u0000$$$$argon2id"],
  ])("never match a stored hash with %s, and it is no fault", async (_name, hash) => {
    expect(await passwords.verify("x", hash)).toEqual({ ok: false, stale: false });
  });

  it("never match a stored text of any kind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.string().map(stored)), async (hash) => {
        expect((await passwords.verify("x", hash)).ok).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it("longer than the old service took never match, and a megabyte is not normalised", async () => {
    const hash = await passwords.hash("x".repeat(16_384));
    expect((await passwords.verify("x".repeat(16_384), hash)).ok).toBe(true);
    const longer = await passwords.hash("x".repeat(16_385));
    expect((await passwords.verify("x".repeat(16_385), longer)).ok).toBe(false);
  });

  /**
   * ASVS 6.3.8: no enumeration by time. Parameters as on a small machine, so that hashing outweighs everything else.
   */
  it("cost the same for an unknown login, a wrong password and a damaged hash", async () => {
    const real = makePasswords({ memoryKiB: 8192, time: 2, parallelism: 1 });
    await real.warm();
    const hash = await real.hash("right");
    const wrong = await timed(() => real.verify("wrong", hash));
    for (const other of [undefined, "damaged", stored("m=2097152,t=2,p=1")]) {
      const cost = await timed(() => real.verify("wrong", other));
      expect(cost / wrong).toBeGreaterThan(0.4);
      expect(cost / wrong).toBeLessThan(2.5);
    }
    // The control: such a difference would be seen. A text that NFKC changes is hashed twice - for an unknown login
    // too.
    const twice = await timed(() => real.verify("\ufb01", undefined));
    expect(twice / (await timed(() => real.verify("\ufb01", hash)))).toBeLessThan(2.5);
    const tenth = makePasswords({ memoryKiB: 512, time: 1, parallelism: 1 });
    await tenth.warm();
    expect((await timed(() => tenth.verify("wrong", undefined))) / wrong).toBeLessThan(0.4);
  });

  it("leave the event loop free while they are hashed", async () => {
    const real = makePasswords({ memoryKiB: 32_768, time: 4, parallelism: 1 });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await real.hash("x");
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  it("have a cost that can be measured", async () => {
    let now = 0;
    const clock = { now: () => 0, monotonic: () => (now += 7) };
    expect(await passwords.calibrate(clock)).toBe(7);
  });

  it("cannot be given parameters that would not be verified later", () => {
    expect(() => makePasswords({ ...cheap, memoryKiB: 1_048_577 })).toThrow("AUTH_ARGON2_");
    expect(() => makePasswords({ ...cheap, parallelism: 9 })).toThrow("8 KiB a lane");
  });
});

describe("peppers", () => {
  const old = { id: "p1", key: Buffer.alloc(32, 1) };
  const next = { id: "p2", key: Buffer.alloc(32, 2) };

  it("are named in the hash, whose other parts every Argon2 library knows", async () => {
    const hash = await makePasswords(cheap, { peppers: [old] }).hash("correct horse");
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=64,t=2,p=1,keyid=cDE\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  });

  /**
   * NIST SP 800-63B-4, 3.1.1.2: an additional keyed operation. HMAC-SHA-256 over the normalised text, then Argon2id.
   */
  it("go into the text before Argon2, as anybody who has the key can do again", async () => {
    const hash = await makePasswords(cheap, { peppers: [old] }).hash("\ufb01ne");
    const keyed = createHmac("sha256", old.key).update("fine").digest();
    const { verify } = await import("argon2");
    expect(await verify(hash.replace(",keyid=cDE", ""), keyed)).toBe(true);
    expect(await verify(hash.replace(",keyid=cDE", ""), "fine")).toBe(false);
  });

  it("take over one from another: what an old one or none has made is right and stale", async () => {
    const bare = await makePasswords(cheap).hash("x");
    const first = await makePasswords(cheap, { peppers: [old] }).hash("x");
    const both = makePasswords(cheap, { peppers: [next, old] });
    expect(await both.verify("x", bare)).toEqual({ ok: true, stale: true });
    expect(await both.verify("x", first)).toEqual({ ok: true, stale: true });
    expect(await both.verify("x", await both.hash("x"))).toEqual({ ok: true, stale: false });
    expect(await both.verify("y", first)).toEqual({ ok: false, stale: false });
    // And back to none, for as long as the old one is there.
    expect((await makePasswords(cheap, { peppers: [old] }).verify("x", await both.hash("x"))).ok).toBe(false);
  });

  it("that are missing make a hash match nothing, and an operator is told once", async () => {
    const problems: string[] = [];
    const without = makePasswords(cheap, { report: (problem) => void problems.push(problem) });
    const hash = await makePasswords(cheap, { peppers: [old] }).hash("x");
    for (let time = 0; time < 3; time += 1) expect((await without.verify("x", hash)).ok).toBe(false);
    expect(problems).toEqual(["a stored password hash is refused: AUTH_PEPPER lacks the pepper p1"]);
    const other = makePasswords(cheap, { peppers: [{ id: "p1", key: next.key }] });
    expect((await other.verify("x", hash)).ok).toBe(false);
  });
});

it("a stored hash beyond the bounds is refused with a line for the log, once per reason", async () => {
  const problems: string[] = [];
  const passwords = makePasswords(cheap, { report: (problem) => void problems.push(problem) });
  for (const parameters of ["m=2097152,t=2,p=1", "m=64,t=17,p=1", "m=1024,t=2,p=17", "m=2097153,t=2,p=1"])
    await passwords.verify("x", stored(parameters));
  await passwords.verify("x", "$2y$nothing");
  await passwords.verify("x", await passwords.hash("y")); // the control: a wrong password is no problem of anybody's
  expect(problems.map((problem) => problem.split(": ")[1])).toEqual([
    "its memory is over 1048576 KiB",
    "it has more than 16 passes",
    "it has more than 16 lanes",
    "its algorithm is not known",
  ]);
});
