// The configuration: what is read, what is refused, and what the table of variables promises.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { type ProcessName, parseDuration, type Variable } from "../../src/config/kinds.ts";
import { configurationPage } from "../../src/config/page.ts";
import { type Config, ConfigFault, type Environment, readConfig } from "../../src/config/read.ts";
import { relaxed } from "../../src/config/relaxed.ts";
import { isServiceLink, variableHelp, variables } from "../../src/config/variables.ts";
import { processEnvironment } from "../../src/processes/dev/fleet.ts";
import { selfSigned } from "../bridge/certificate.ts";

const key = Buffer.alloc(32, 7).toString("base64");
const online = {
  AUTH_KAFKA_BROKERS: "kafka:9092",
  AUTH_DATABASE_URL: "postgresql://auth@db/auth?sslmode=require",
  AUTH_MASTER_KEY: `k1:${key}`,
};
const { cert, key: tlsKey } = selfSigned();
const table = Object.entries<Variable<unknown>>(variables);

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

const read = (env: Environment, role: ProcessName = "worker"): Config => readConfig({ ...online, ...env }, role);

/** The faults of this environment, none where it is taken. */
function faultsOf(env: Environment, role: ProcessName = "worker"): string[] {
  try {
    read(env, role);
    return [];
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults;
    throw error;
  }
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

describe("a connection in the open", () => {
  const roles: ProcessName[] = ["worker", "relay", "bridge", "mailer", "migrate", "ctl"];
  const mail = { AUTH_MAIL_FROM: "a@example.org", AUTH_MAIL_LINK_URL: "https://example.org/{token}" };
  const sasl = {
    AUTH_KAFKA_SASL_MECHANISM: "plain",
    AUTH_KAFKA_SASL_USERNAME: "auth",
    AUTH_KAFKA_SASL_PASSWORD: "of kafka",
  };
  const basic = { AUTH_REGISTRY_USERNAME: "auth", AUTH_REGISTRY_PASSWORD: "of the registry" };
  /** The switch -> what is open without it, who would speak so, and the same closed, or on this machine. */
  const table: Record<string, { open: Environment[]; roles: ProcessName[]; closed: Environment[] }> = {
    AUTH_KAFKA_PLAINTEXT: {
      roles,
      open: [
        sasl,
        { ...sasl, AUTH_KAFKA_BROKERS: "127.0.0.1:9092,kafka-2:9092" },
        { ...sasl, AUTH_KAFKA_BROKERS: "[fd00::1]:9092" },
      ],
      closed: [
        { ...sasl, AUTH_KAFKA_TLS: "true" },
        { ...sasl, AUTH_KAFKA_SASL_MECHANISM: "scram-sha-512" },
        { ...sasl, AUTH_KAFKA_BROKERS: "localhost:9092,127.0.0.2:9092,[::1]:9092" },
        {},
      ],
    },
    AUTH_REGISTRY_PLAINTEXT: {
      roles,
      open: [
        { ...basic, AUTH_REGISTRY_URL: "http://registry:8081" },
        { AUTH_REGISTRY_URL: "http://auth:secret@registry:8081/apis" },
      ],
      closed: [
        { ...basic, AUTH_REGISTRY_URL: "https://registry" },
        { ...basic, AUTH_REGISTRY_URL: "http://[::1]:8081" },
        { AUTH_REGISTRY_URL: "http://registry:8081" },
      ],
    },
    AUTH_DATABASE_PLAINTEXT: {
      roles: roles.filter((role) => role !== "bridge"),
      open: ["", "?sslmode=disable", "?sslmode=disable&application_name=x", "?ssl=false"].map((more) => ({
        AUTH_DATABASE_URL: `postgresql://auth:secret@db.example:5432/auth${more}`,
      })),
      closed: [
        ...["require", "no-verify", "verify-ca", "verify-full"].map(
          (mode) => `postgresql://auth@db/auth?sslmode=${mode}`,
        ),
        "postgresql://auth@db/auth?ssl=true",
        "postgresql://auth@127.0.0.1/auth",
        "postgresql://auth@localhost:5433/auth",
        "postgresql://auth@[::1]/auth",
        "postgresql:///auth?host=/var/run/postgresql",
      ].map((AUTH_DATABASE_URL) => ({ AUTH_DATABASE_URL })),
    },
    AUTH_GRPC_PLAINTEXT: {
      roles: ["bridge"],
      open: ["", "0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "bridge.local", "127.example.org"].map(
        (AUTH_GRPC_HOST) => ({ AUTH_GRPC_HOST }),
      ),
      closed: [
        { AUTH_GRPC_HOST: "0.0.0.0", AUTH_GRPC_TLS_CERT: cert, AUTH_GRPC_TLS_KEY: tlsKey },
        ...["127.0.0.1", "127.8.9.10", "localhost", "::1"].map((AUTH_GRPC_HOST) => ({ AUTH_GRPC_HOST })),
      ],
    },
    AUTH_SMTP_PLAINTEXT: {
      roles: ["mailer", "dev"],
      open: [{ AUTH_SMTP_URL: "smtp://mail.example:25" }],
      closed: [
        "smtps://mail.example",
        "smtp://user:secret@mail.example",
        "smtp://mail.example?starttls=required",
        "smtp://localhost:25",
        "print:",
      ].map((AUTH_SMTP_URL) => ({ AUTH_SMTP_URL })),
    },
  };
  const rows = Object.entries(table);
  const base = {
    AUTH_REGISTRY_URL: "https://registry",
    AUTH_SMTP_URL: "print:",
    AUTH_GRPC_HOST: "127.0.0.1",
    ...mail,
  };

  test.each(rows)(
    "without %s is a fault of whoever speaks so, which says how it would be closed",
    (name, { open, roles: speakers }) => {
      for (const env of open)
        for (const role of [...roles, "dev"] as ProcessName[]) {
          const faults = faultsOf({ ...base, ...env }, role);
          const wanted = speakers.includes(role)
            ? [expect.stringMatching(new RegExp(`in the open: .+, or ${name}=true`))]
            : [];
          expect([env, role, faults]).toEqual([env, role, wanted]);
          expect(faultsOf({ ...base, ...env, [name]: "true" }, role)).toEqual([]); // the control
        }
    },
  );

  test.each(rows)("is none that is closed, or stays on this machine: %s", (_name, { closed, roles: speakers }) => {
    for (const env of closed)
      for (const role of speakers) expect([env, faultsOf({ ...base, ...env }, role)]).toEqual([env, []]);
  });

  test("is told beside all other faults, and of every kind at once", () => {
    const mailers = rows.filter(([, each]) => each.roles.includes("mailer"));
    const env = Object.assign({}, ...mailers.map(([, { open }]) => open[0])) as Environment;
    const faults = faultsOf({ ...base, ...env, AUTH_ACCESS_TTL: "soon", AUTH_REFRESH_IDLE: "60d" }, "mailer");
    expect(faults.map((fault) => /AUTH_\w+_PLAINTEXT|AUTH_\w+/.exec(fault)?.[0])).toEqual([
      "AUTH_ACCESS_TTL",
      "AUTH_REFRESH_IDLE",
      ...["AUTH_KAFKA_SASL_MECHANISM", "AUTH_REGISTRY_URL", "AUTH_DATABASE_URL", "AUTH_SMTP_URL"],
    ]);
    for (const [name] of mailers) expect(faults.join("\n")).toContain(`${name}=true`);
    expect(faults.join("\n")).not.toContain("secret");
  });
});

describe("what is relaxed", () => {
  test("is nothing by default, and what dev and whoever sets a switch relax, by name", () => {
    expect(relaxed(read({}))).toEqual([]);
    const stack = {
      AUTH_KAFKA_BROKERS: "127.0.0.1:9092",
      AUTH_REGISTRY_URL: "http://127.0.0.1:8081",
      AUTH_DATABASE_URL: "postgresql://auth@127.0.0.1:5433/auth",
    };
    const dev = processEnvironment({ AUTH_SMTP_PLAINTEXT: "true" }, stack, file(`k1:${key}`));
    expect(relaxed(readConfig(dev, "worker"))).toEqual([
      "AUTH_CONFIRM_WITHOUT_PROOF=auth.reply.bridge",
      "AUTH_REQUIRE_SEALED=false",
      "AUTH_LEGACY_TOPICS=true",
      "AUTH_SMTP_PLAINTEXT=true",
      "AUTH_GRPC_PLAINTEXT=true",
      "AUTH_GRPC_TRUST_CLIENT=true",
    ]);
    expect(
      relaxed(
        readConfig(
          {
            ...dev,
            AUTH_CONFIRM_WITHOUT_PROOF: "",
            AUTH_REQUIRE_SEALED: "true",
            AUTH_LEGACY_TOPICS: "off",
            AUTH_SMTP_PLAINTEXT: "",
            AUTH_GRPC_PLAINTEXT: "",
            AUTH_GRPC_TRUST_CLIENT: "",
          },
          "worker",
        ),
      ),
    ).toEqual([]);
  });

  test("has every switch that lets a connection be open", () => {
    const switches = table.map(([name]) => name).filter((name) => name.endsWith("_PLAINTEXT"));
    expect(relaxed(read(Object.fromEntries(switches.map((name) => [name, "true"]))))).toEqual(
      expect.arrayContaining(switches.map((name) => `${name}=true`)),
    );
  });
});

test("what a role needs is a fault for that role only", () => {
  const names = (role: "worker" | "bridge" | "ctl") => {
    try {
      readConfig({}, role);
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

describe("the bridge", () => {
  test("of docker-compose.yml starts with what is set there, and would not without its AUTH_GRPC_PLAINTEXT", () => {
    const text = readFileSync(join(import.meta.dirname, "..", "..", "docker-compose.yml"), "utf8");
    const { services } = parse(text, { merge: true }) as { services: Record<string, { environment: Environment }> };
    const { AUTH_GRPC_PLAINTEXT, AUTH_FLEET_ID_FILE, ...set } = services["bridge"]!.environment;
    expect(AUTH_FLEET_ID_FILE).toBe(services["migrate"]!.environment["AUTH_FLEET_ID_OUT"]); // in the volume of both
    const environment = { ...set, AUTH_FLEET_ID_FILE: file("5UZmd4lIkyVHtbj08N1KIMtgNvDH8X90Z93VwzUvv-o\n") };
    const faults = (env: Environment) => faultsOf({ AUTH_DATABASE_URL: "", AUTH_MASTER_KEY: "", ...env }, "bridge");
    expect(faults({ ...environment, AUTH_GRPC_PLAINTEXT })).toEqual([]);
    expect(faults(environment)).toEqual([
      expect.stringMatching(/^AUTH_GRPC_HOST 0\.0\.0\.0 .* AUTH_GRPC_PLAINTEXT=true/),
    ]);
  });

  test("that knows callers by their certificates needs an authority for these", () => {
    const trusting = { AUTH_REGISTRY_URL: "http://registry:8081", AUTH_GRPC_TRUSTED: "gateway" };
    const tls = { AUTH_GRPC_TLS_CERT: cert, AUTH_GRPC_TLS_KEY: tlsKey };
    const fault = "AUTH_GRPC_TRUSTED needs AUTH_GRPC_TLS_CLIENT_CA: callers are known by their certificates";
    for (const env of [
      { ...trusting, AUTH_GRPC_HOST: "127.0.0.1" },
      { ...trusting, ...tls },
    ])
      expect(faultsOf(env, "bridge")).toEqual([fault]);
    expect(faultsOf({ ...trusting, ...tls, AUTH_GRPC_TLS_CLIENT_CA: cert }, "bridge")).toEqual([]);
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

describe("what the fleet is known by", () => {
  const [id, other] = ["5UZmd4lIkyVHtbj08N1KIMtgNvDH8X90Z93VwzUvv-o", "b917Uo0YbOJGxKEONUIxEtQyxrY1jFVwDoEDvbSTbMs"];

  test("is a thumbprint, or two, also from a file", () => {
    expect(read({ AUTH_FLEET_ID: id }).AUTH_FLEET_ID).toEqual([id]);
    expect(read({ AUTH_FLEET_ID_FILE: file(`${id}, ${other}\n`) }).AUTH_FLEET_ID).toEqual([id, other]);
    for (const bad of ["k1", `${id},${other},${id}`, id.slice(1), `${id}A`])
      expect(faultsOf({ AUTH_FLEET_ID: bad })[0]).toMatch(
        /^AUTH_FLEET_ID must be the thumbprint that `authctl keys root` prints/,
      );
  });

  test("is not left out by a file that is empty: whoever writes to Kafka would be believed", () => {
    for (const text of ["", "\n"])
      expect(faultsOf({ AUTH_FLEET_ID_FILE: file(text) })).toEqual(["AUTH_FLEET_ID is empty in AUTH_FLEET_ID_FILE"]);
    expect(faultsOf({ AUTH_FLEET_ID: "," })).toEqual([expect.stringContaining("(empty)")]);
    expect(read({ AUTH_FLEET_ID: "" }).AUTH_FLEET_ID).toBeUndefined(); // not given
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
