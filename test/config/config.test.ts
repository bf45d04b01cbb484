// The configuration: what is read, from where, what is refused, and what the table of variables promises.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configurationPage } from "../../src/config/page.ts";
import { type ConfigFault, type Environment, readConfig } from "../../src/config/read.ts";
import { isServiceLink, variableHelp, type variables } from "../../src/config/variables.ts";
import { faultsOf, online, read, table } from "./environments.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "auth-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, `${process.hrtime.bigint()}`);
  writeFileSync(path, text);
  return path;
}

test("what is needed is enough, and the rest has its default", () => {
  const config = read({});
  expect(config.AUTH_KAFKA_BROKERS).toEqual(["kafka:9092"]);
  expect(config.AUTH_MASTER_KEY).toEqual([{ kid: "k1", key: Buffer.alloc(32, 7) }]);
  expect(config.AUTH_ACCESS_TTL).toBe(900_000);
  expect(config.AUTH_REQUIRE_SEALED).toBe(true);
  expect(config.AUTH_REGISTRY_URL).toBeUndefined();
});

test("all faults are told at once, each with its variable's name", () => {
  const faults = faultsOf({
    AUTH_KAFKA_BROKERS: "kafka",
    AUTH_ACCESS_TTL: "soon",
    AUTH_HTTP_PORT: "70000",
    AUTH_LOG_LEVEL: "loud",
    AUTH_HIDE_EMAIL: "perhaps",
    AUTH_REPLY_TOPICS: "(",
    AUTH_REPLY_SERVICES: "user,Task_1",
    AUTH_PARTITIONS: "*",
    AUTH_TOPICS: "A!",
    AUTH_TOPIC_PREFIX: "T1.",
    AUTH_DATABASE_URL: "mysql://db",
    AUTH_MASTER_KEY: "k1:short",
    AUTH_HTTP_PROT: "8080",
  });
  expect(faults.map((fault) => fault.split(" ")[0]).sort()).toEqual([
    "AUTH_ACCESS_TTL",
    "AUTH_DATABASE_URL",
    "AUTH_HIDE_EMAIL",
    "AUTH_HTTP_PORT",
    "AUTH_HTTP_PROT",
    "AUTH_KAFKA_BROKERS",
    "AUTH_LOG_LEVEL",
    "AUTH_MASTER_KEY",
    "AUTH_PARTITIONS",
    "AUTH_REPLY_SERVICES",
    "AUTH_REPLY_TOPICS",
    "AUTH_TOPICS",
    "AUTH_TOPIC_PREFIX",
  ]);
});

describe("AUTH_MAIL_SEAL_KEY", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = pair.publicKey.export({ format: "jwk" });
  const faultOf = (key: object | string): string =>
    faultsOf({ AUTH_MAIL_SEAL_KEY: typeof key === "string" ? key : JSON.stringify(key) })[0] ?? "";

  test("is a public JWK on P-256, of which the members that make the key count", () => {
    const given = { ...jwk, kid: "ours", use: "enc", alg: "ECDH-ES+A256KW" };
    expect(read({ AUTH_MAIL_SEAL_KEY: JSON.stringify(given) }).AUTH_MAIL_SEAL_KEY).toEqual(jwk);
    expect(read({ AUTH_MAIL_SEAL_KEY_FILE: file(JSON.stringify(given, null, 2)) }).AUTH_MAIL_SEAL_KEY).toEqual(jwk);
  });

  test("is nothing else", () => {
    const other = (curve: string) =>
      generateKeyPairSync("ec", { namedCurve: curve }).publicKey.export({ format: "jwk" });
    for (const bad of ["x", "[]", "null", "{}", { ...jwk, y: jwk.x }, { ...jwk, crv: "P-384" }, other("P-384")])
      expect(faultOf(bad)).toMatch(/^AUTH_MAIL_SEAL_KEY must be a public key on P-256 as a JWK/);
  });

  test("is never a private key, which is not repeated", () => {
    const { d, ...rest } = pair.privateKey.export({ format: "jwk" });
    expect(faultOf({ ...rest, d })).toMatch(/^AUTH_MAIL_SEAL_KEY has the private part of the key/);
    expect(faultOf({ ...rest, d })).not.toContain(d);
  });
});

test("what a process needs is a fault for that process only", () => {
  const names = (kind: "worker" | "bridge" | "ctl") => {
    try {
      readConfig({}, kind);
      return [];
    } catch (error) {
      return (error as ConfigFault).faults.map((fault) => fault.split(" ")[0]);
    }
  };
  expect(names("worker")).toEqual(["AUTH_KAFKA_BROKERS", "AUTH_DATABASE_URL", "AUTH_MASTER_KEY"]);
  expect(names("bridge")).toEqual(["AUTH_KAFKA_BROKERS", "AUTH_REGISTRY_URL", "AUTH_GRPC_HOST"]);
  expect(names("ctl")).toEqual([]);
});

describe("names", () => {
  test.each([
    "AUTH_KAFKA_BROKER",
    "AUTH_GRPC_PROT_PORT",
    "AUTH_PORT",
    "AUTH_HTTP_PORTS",
    "AUTH_ISSUER_FILES",
    "AUTH_UNKNOWN_FILE",
    "AUTH_",
  ])("%s is a fault", (name) => {
    expect(faultsOf({ [name]: "1" })).toEqual([
      `${name} is not a variable of this service; docs/configuration.md lists them`,
    ]);
  });

  test.each([
    ["AUTH_SERVICE_HOST", "10.0.0.1"],
    ["AUTH_SERVICE_PORT", "50051"],
    ["AUTH_BRIDGE_SERVICE_PORT_GRPC_WEB", "50051"],
    ["AUTH_PORT", "tcp://10.0.0.1:50051"],
    ["AUTH_DNS_PORT", "udp://10.0.0.1:53"],
    ["AUTH_PORT_50051_TCP", "tcp://10.0.0.1:50051"],
    ["AUTH_PORT_50051_TCP_PROTO", "tcp"],
    ["AUTH_PORT_50051_TCP_PORT", "50051"],
    ["AUTH_PORT_50051_UDP_ADDR", "10.0.0.1"],
    ["AUTH_TEST_STACK", "local"],
    ["AUTHORITY", "somebody else's"],
  ])("%s=%s is Kubernetes's or somebody else's", (name, value) => {
    expect(faultsOf({ [name]: value })).toEqual([]);
  });

  test("a service called auth-grpc does not set AUTH_GRPC_PORT; who writes a port does", () => {
    expect(read({ AUTH_GRPC_PORT: "tcp://10.0.0.1:1234" }).AUTH_GRPC_PORT).toBe(50051);
    expect(read({ AUTH_GRPC_PORT: "1234" }).AUTH_GRPC_PORT).toBe(1234);
    expect(faultsOf({ AUTH_GRPC_PORT: "http://10.0.0.1:1234" })).toHaveLength(1);
  });
});

describe("files", () => {
  test("NAME_FILE gives the text of the file, without the line end", () => {
    const { AUTH_MASTER_KEY, ...rest } = online;
    const config = readConfig({ ...rest, AUTH_MASTER_KEY_FILE: file(`${AUTH_MASTER_KEY}\n`) }, "worker");
    expect(config.AUTH_MASTER_KEY).toEqual([{ kid: "k1", key: Buffer.alloc(32, 7) }]);
  });

  test("given both ways is a fault", () => {
    expect(faultsOf({ AUTH_ISSUER: "a", AUTH_ISSUER_FILE: file("b") })).toEqual([
      "AUTH_ISSUER is given twice: as AUTH_ISSUER and as AUTH_ISSUER_FILE",
    ]);
  });

  test("a file that is not there is a fault that names the variable", () => {
    const [fault] = faultsOf({ AUTH_ISSUER_FILE: join(folder, "nothing") });
    expect(fault).toMatch(/^AUTH_ISSUER cannot be read from AUTH_ISSUER_FILE: ENOENT/);
  });
});

describe("an empty text counts as not given", () => {
  test.each<[string, Environment]>([
    ["in the variable", { AUTH_ISSUER: "" }],
    ["in the name of the file", { AUTH_ISSUER_FILE: "" }],
  ])("%s", (_where, env) => {
    expect(read(env).AUTH_ISSUER).toBe("auth");
  });

  test("in the file", () => {
    expect(read({ AUTH_ISSUER_FILE: file("\n") }).AUTH_ISSUER).toBe("auth");
    expect(read({ AUTH_GRPC_TLS_CERT_FILE: file("") }).AUTH_GRPC_TLS_CERT).toBeUndefined();
  });

  test("so what is needed is still missing", () => {
    expect(faultsOf({ AUTH_DATABASE_URL: "" })[0]).toMatch(
      /^AUTH_DATABASE_URL is not set, and the process worker needs it/,
    );
  });
});

describe("the table", () => {
  test("every default passes its own parser", () => {
    for (const [name, variable] of table) {
      const text = typeof variable.default === "function" ? variable.default() : variable.default;
      if (text !== undefined) expect([name, variable.parse(text)]).toEqual([name, expect.anything()]);
    }
  });

  test("no secret has a default, and what is called so is a secret", () => {
    const secret = /PASSWORD$|_KEY$|PEPPER$|DATABASE_URL$|SMTP_URL$|SECRET|TOKEN$/;
    const secrets = table.filter(([, variable]) => variable.secret);
    expect(secrets.filter(([, variable]) => variable.default !== undefined)).toEqual([]);
    expect(secrets.map(([name]) => name).sort()).toEqual(
      table
        .map(([name]) => name)
        .filter((name) => secret.test(name) && name !== "AUTH_MAIL_SEAL_KEY") // a public key
        .sort(),
    );
    expect(secrets.length).toBeGreaterThan(3);
  });

  test("no fault shows a secret", () => {
    for (const [name, variable] of table.filter(([, each]) => each.secret)) {
      expect(faultsOf({ [name]: "hunter2" }).join()).not.toContain("hunter2");
      expect(variable.meaning).not.toBe("");
    }
  });

  test("the smallest Argon2 memory is enough for the most lanes (8 KiB each: RFC 9106, section 3.1)", () => {
    expect(faultsOf({ AUTH_ARGON2_MEMORY: String(8 * 16 - 1) })).toHaveLength(1);
    expect(faultsOf({ AUTH_ARGON2_PARALLELISM: "17" })).toHaveLength(1);
    expect(faultsOf({ AUTH_ARGON2_MEMORY: "7168", AUTH_ARGON2_PARALLELISM: "16" })).toEqual([]);
  });

  test("every name begins with AUTH_ and none is taken for a service link", () => {
    for (const [name] of table) {
      expect(name).toMatch(/^AUTH_[A-Z0-9_]+$/);
      expect(isServiceLink(name, "1")).toBe(false);
    }
  });

  test("docs/configuration.md is what the table gives", () => {
    const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "configuration.md"), "utf8");
    expect(page).toBe(configurationPage());
    for (const [name] of table) {
      expect(page).toContain(`| \`${name}\` |`);
      expect(variableHelp(name as keyof typeof variables)).toContain(`  ${name}\n`);
    }
  });
});
