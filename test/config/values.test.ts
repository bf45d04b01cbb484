// What single variables may hold, and what may not be set together.
import { type ProcessName, parseDuration } from "../../src/config/kinds.ts";
import { type Environment, readConfig } from "../../src/config/read.ts";
import { cert, faultsOf, key, online, read, tlsKey } from "./environments.ts";

describe("the master key", () => {
  test("may be several, the first writes; base64 with and without padding, both alphabets", () => {
    const other = Buffer.alloc(32, 255);
    const text = `k2:${other.toString("base64url")}, k1:${key}`;
    expect(read({ AUTH_MASTER_KEY: text }).AUTH_MASTER_KEY?.map(({ kid }) => kid)).toEqual(["k2", "k1"]);
    expect(read({ AUTH_MASTER_KEY: text }).AUTH_MASTER_KEY?.[0]?.key).toEqual(other);
  });

  test.each([
    ["31 bytes", `k1:${Buffer.alloc(31).toString("base64")}`],
    ["33 bytes", `k1:${Buffer.alloc(33).toString("base64")}`],
    ["letters that are not base64's", `k1:${key.slice(0, 20)}!!${key.slice(20)}`],
    ["a third part", `k1:${key}:more`],
    ["no kid", `:${key}`],
    ["no key", "k1"],
    ["two keys of one kid", `k1:${key},k1:${key}`],
    ["only commas", ",,"],
  ])("%s is a fault that does not show the key", (_what, text) => {
    const faults = faultsOf({ AUTH_MASTER_KEY: text });
    expect(faults).toHaveLength(1);
    expect(faults[0]).not.toContain(key.slice(0, 12));
  });
});

describe("passkeys", () => {
  const faultOf = (env: Environment) => faultsOf(env)[0];

  test.each<[string, string]>([
    ["example.com", "https://example.com"],
    ["example.com", "https://login.example.com,https://example.com:8443"],
    ["localhost", "http://localhost:3000,http://app.localhost"],
    ["example.com", "https://example.com,android:apk-key-hash:NYiuSSH6mA2jyXfV-x_WJ8mVz5CClj3YKTHoZfRYEqM"],
  ])("for %s may be asked for at %s", (AUTH_RP_ID, AUTH_RP_ORIGINS) => {
    expect(faultsOf({ AUTH_RP_ID, AUTH_RP_ORIGINS })).toEqual([]);
    expect(read({ AUTH_RP_ID, AUTH_RP_ORIGINS }).AUTH_RP_ORIGINS).toEqual(AUTH_RP_ORIGINS.split(","));
  });

  test.each<[string, string]>([
    ["example.com", "https://example.org"],
    ["example.com", "https://evil-example.com"],
    ["login.example.com", "https://example.com"],
    ["example.com", "http://example.com"],
  ])("for %s may not be asked for at %s", (AUTH_RP_ID, AUTH_RP_ORIGINS) => {
    expect(faultsOf({ AUTH_RP_ID, AUTH_RP_ORIGINS })).toEqual([
      `AUTH_RP_ORIGINS has ${AUTH_RP_ORIGINS}, which is no secure origin within AUTH_RP_ID`,
    ]);
  });

  test("are for a domain and at origins, in the spelling that browsers send", () => {
    for (const AUTH_RP_ID of ["https://example.com", "example.com:443", "example.com/", "a b"])
      expect(faultOf({ AUTH_RP_ID })).toBe("AUTH_RP_ID must be a domain, without scheme or port");
    for (const AUTH_RP_ORIGINS of [
      "example.com",
      "https://localhost/login",
      "https://me@localhost",
      "ftp://localhost",
      "*",
      ",",
    ])
      expect(faultOf({ AUTH_RP_ORIGINS })).toMatch(/^AUTH_RP_ORIGINS must be origins such as https:/);
  });
});

describe("contradictions", () => {
  const tls = { AUTH_GRPC_TLS_CERT: cert, AUTH_GRPC_TLS_KEY: tlsKey };
  const sasl = { AUTH_KAFKA_SASL_USERNAME: "u", AUTH_KAFKA_SASL_PASSWORD: "p", AUTH_KAFKA_TLS: "true" };
  test.each<[string, Environment, Environment]>([
    ["SASL without a name and a password", { AUTH_KAFKA_SASL_MECHANISM: "plain" }, sasl],
    ["a certificate without its key", { AUTH_GRPC_TLS_CERT: cert }, tls],
    ["a key without its certificate", { AUTH_GRPC_TLS_KEY: tlsKey }, tls],
    ["clients' certificates without TLS", { AUTH_GRPC_TLS_CLIENT_CA: cert }, tls],
    ["idle longer than life", { AUTH_REFRESH_IDLE: "31d" }, { AUTH_REFRESH_TTL: "31d" }],
  ])("%s", (_what, env, remedy) => {
    expect(faultsOf(env)).toHaveLength(1);
    expect(faultsOf({ ...env, ...remedy })).toEqual([]);
  });
});

describe("hashes at a time that do not fit into memory", () => {
  const env = { ...online, AUTH_HASH_THREADS: "8", AUTH_ARGON2_MEMORY: "65536" }; // 512 MiB
  const within = (mebibytes: number, role: ProcessName = "worker") => readConfig(env, role, mebibytes * 1024 ** 2);

  test("are a fault that says what they need and what there is", () => {
    expect(() => within(511)).toThrow(
      "AUTH_HASH_THREADS hashes at a time of AUTH_ARGON2_MEMORY each need 512 MiB, and this process may use 511 MiB",
    );
    expect(within(512).AUTH_HASH_THREADS).toBe(8);
  });

  test("are none of who does not hash", () => {
    expect(within(511, "relay").AUTH_HASH_THREADS).toBe(8);
  });
});

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["15m", 900_000],
    ["24h", 86_400_000],
    ["30d", 2_592_000_000],
    ["0s", 0],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(["", "10", "s", "-1s", "1.5s", "10 s", "1w", "1S", "10s\n", "1h30m"])("%j is none", (text) => {
    expect(() => parseDuration(text)).toThrow("must be a duration");
  });

  test("one outside of its range is a fault, its ends are not", () => {
    expect(["9s", "10s", "24h", "25h"].map((text) => faultsOf({ AUTH_ACCESS_TTL: text }).length)).toEqual([1, 0, 0, 1]);
  });
});

describe("limits", () => {
  test.each([
    ["300/1h", { most: 300, perMs: 3_600_000 }],
    ["1/1s", { most: 1, perMs: 1000 }],
    ["999999/24h", { most: 999_999, perMs: 86_400_000 }],
    ["off", "off"],
  ])("%s", (text, limit) => {
    expect(read({ AUTH_NETWORK_PASSWORDS: text }).AUTH_NETWORK_PASSWORDS).toEqual(limit);
  });

  test.each([
    "0/1h",
    "-1/1h",
    "300",
    "300/h",
    "/1h",
    "1.5/1h",
    "300/1h/1h",
    "300/999ms",
    "300/25h",
    "1000000/1h",
    "Off",
  ])("%s is refused", (text) => {
    const fault = "must be off, or a count from 1 to 999999 and a time from 1s to 24h, such as 300/1h";
    expect(faultsOf({ AUTH_NETWORK_PASSWORDS: text })).toEqual([`AUTH_NETWORK_PASSWORDS ${fault}`]);
  });
});
