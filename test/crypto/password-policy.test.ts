// What a new password must be: length by code points, words about its owner, the common ones, the stolen ones.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { breachedFiles } from "../../src/crypto/breached.ts";
import { commonPasswords } from "../../src/crypto/common-passwords.ts";
import { makePasswordPolicy, type PolicyRules, passwordFault } from "../../src/crypto/password-policy.ts";
import { makePasswords } from "../../src/crypto/passwords.ts";
import { ownFolder } from "../support/stack.ts";

const rules: PolicyRules = {
  min: 8,
  common: commonPasswords(),
  words: ["Task Platform"],
  breached: (password) => Promise.resolve(password.startsWith("stolen")),
};
const policy = makePasswordPolicy(rules);
const owner = ["alice.w", "Alice Wonder", "alice.wonderland@example.com"];
const weakness = (password: string) => policy.weakness(password, owner);

describe("a new password", () => {
  /** NIST SP 800-63B, 5.1.1.2: each Unicode code point is one character. */
  it("is measured in code points after NFKC", () => {
    expect(passwordFault("1234567", { min: 8 })).toBe("short");
    expect(passwordFault("12345678", { min: 8 })).toBeUndefined();
    expect(passwordFault("🙂".repeat(7), { min: 8 })).toBe("short");
    expect(passwordFault("🙂".repeat(8), { min: 8 })).toBeUndefined();
    expect(passwordFault("e\u0301".repeat(7), { min: 8 })).toBe("short");
    expect(passwordFault("ﬁ".repeat(4), { min: 8 })).toBeUndefined();
  });

  /** ASVS 6.2.9: at least 64 characters are accepted; 6.2.8: nothing is cut off. */
  it("may have 1,024 bytes and no more", async () => {
    expect(passwordFault("x".repeat(1024), { min: 8 })).toBeUndefined();
    expect(passwordFault("x".repeat(1025), { min: 8 })).toBe("long");
    expect(passwordFault("🙂".repeat(257), { min: 8 })).toBe("long");
    const passwords = makePasswords({ memoryKiB: 64, time: 2, parallelism: 1 });
    const hash = await passwords.hash(`${"x".repeat(1023)}y`);
    expect((await passwords.verify(`${"x".repeat(1023)}z`, hash)).ok).toBe(false);
  });

  /** ASVS 6.2.11. */
  it.each([
    "alice.wonderland",
    "alicewonderland",
    "AliceWonder",
    "alice2024!",
    "aliceALICEalice",
    "ecila-ecila",
    "taskplatform",
    "Platform-Task 7",
    "alice@platform",
  ])("must not be made of its owner's names or the service's: %s", async (password) => {
    expect(await weakness(password)).toBe("context");
  });

  it.each(["alice likes tea", "alice7261849305", "wonder of the world", "example.com", "💥💥💥💥alice"])(
    "may have them in it: %s",
    async (password) => {
      expect(await weakness(password)).toBeUndefined();
    },
  );

  it("is nobody's where nothing is known of an owner", async () => {
    const bare = makePasswordPolicy({ ...rules, words: [] });
    expect(await bare.weakness("alice.wonderland", [])).toBeUndefined();
    expect(await bare.weakness("alice.wonderland", ["", "@", "..."])).toBeUndefined();
  });

  /** ASVS 6.2.4; NIST SP 800-63B-4, 3.1.1.2: the entire password is compared. */
  it("must not be a common one, however it is written, and may contain one", async () => {
    expect(await weakness("password1")).toBe("common");
    expect(await weakness("PassWord1")).toBe("common");
    expect(await weakness("ｐａｓｓｗｏｒｄ1")).toBe("common"); // full width: NFKC
    expect(await weakness("password1 and more")).toBeUndefined();
  });

  it("must not be a stolen one; only what is not weak otherwise is looked for", async () => {
    expect(await weakness("stolen goods")).toBe("breached");
    expect(await weakness("stolen")).toBe("short");
  });
});

/** ASVS 6.2.4 asks for the 3,000 most frequent that match the policy. */
it("the list has over 3,000 common passwords for each minimum from 4 to 9, folded and sorted", () => {
  const list = [...commonPasswords()];
  for (const min of [4, 5, 6, 7, 8, 9]) expect(list.filter((word) => word.length >= min).length).toBeGreaterThan(3000);
  expect(list).toEqual(list.map((word) => word.normalize("NFKC").toLowerCase()).sort());
});

describe("stolen passwords", () => {
  const digestOf = (password: string) => createHash("sha1").update(password).digest("hex").toUpperCase();

  /** Ranges as the service gives them, CRLF at their lines' ends. */
  function supplied(name: string, entries: Record<string, number>, ending = "") {
    const folder = ownFolder(`breached-${name}`);
    for (const [password, count] of Object.entries(entries)) {
      const digest = digestOf(password);
      const lines = [`${"0".repeat(35)}:3`, `${digest.slice(5)}:${count}`, `${"F".repeat(35)}:1`];
      writeFileSync(join(folder, `${digest.slice(0, 5)}${ending}`), lines.join("\r\n"));
    }
    const problems: string[] = [];
    return { folder, problems, breached: breachedFiles(folder, (problem) => void problems.push(problem)) };
  }

  it.each(["", ".txt"])("are found in files named by their hash's first five digits%s", async (ending) => {
    const { breached, problems } = supplied(`found${ending}`, { "a stolen one": 12, "\ufb01sh and chips": 1 }, ending);
    expect(await breached("a stolen one")).toBe(true);
    expect(await breached("A stolen one")).toBe(false); // another hash, whose range is not there
    expect(problems).toEqual([expect.stringContaining("a file is not there and counts as empty")]);
  });

  it("do not include what only pads a range, nor what lies beside them in it", async () => {
    const { folder, breached } = supplied("padding", { padded: 0 });
    expect(await breached("padded")).toBe(false);
    const digest = digestOf("beside");
    writeFileSync(join(folder, digest.slice(0, 5)), `0${digest.slice(5, 39)}:5\n${digest.slice(5)}0:5\n`);
    expect(await breached("beside")).toBe(false);
    writeFileSync(join(folder, digest.slice(0, 5)), `${digest.slice(5)}:5\n`); // the control
    expect(await breached("beside")).toBe(true);
  });

  it("stop nobody where the folder is not there, a file is too large or cannot be read; each is said once", async () => {
    const { folder, problems, breached } = supplied("faults", {});
    const large = digestOf("large").slice(0, 5);
    writeFileSync(join(folder, large), `${digestOf("large").slice(5)}:7\n${"x".repeat(1_048_576)}`);
    expect([await breached("large"), await breached("large")]).toEqual([false, false]);
    ownFolder(`breached-faults/${digestOf("folder").slice(0, 5)}`);
    expect(await breached("folder")).toBe(false);
    expect([await breached("one absent"), await breached("another")]).toEqual([false, false]);
    expect(problems.map((problem) => problem.replace(/.*: (.*),.*/, "$1"))).toEqual([
      "a file is over 1048576 bytes and counts as empty",
      "a file cannot be read (EISDIR)",
      "a file is not there and counts as empty",
    ]);
  });
});
