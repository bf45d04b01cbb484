// The configuration of connections and of trust: which are open, and which switch allows it; what the fleet is known
// by; what a bridge needs that trusts its callers.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { ProcessName } from "../../src/config/kinds.ts";
import { type Environment, readConfig } from "../../src/config/read.ts";
import { relaxed } from "../../src/config/relaxed.ts";
import { processEnvironment } from "../../src/processes/dev/fleet.ts";
import { cert, faultsOf, key, read, table, tlsKey } from "./environments.ts";

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

describe("a connection in the open", () => {
  const processes: ProcessName[] = ["worker", "relay", "bridge", "mailer", "migrate", "ctl"];
  const mail = { AUTH_MAIL_FROM: "a@example.org", AUTH_MAIL_LINK_URL: "https://example.org/{token}" };
  const sasl = {
    AUTH_KAFKA_SASL_MECHANISM: "plain",
    AUTH_KAFKA_SASL_USERNAME: "auth",
    AUTH_KAFKA_SASL_PASSWORD: "of kafka",
  };
  const basic = { AUTH_REGISTRY_USERNAME: "auth", AUTH_REGISTRY_PASSWORD: "of the registry" };
  /** The switch -> what is open without it, who would speak so, and the same closed, or on this machine. */
  const table: Record<string, { open: Environment[]; processes: ProcessName[]; closed: Environment[] }> = {
    AUTH_KAFKA_PLAINTEXT: {
      processes,
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
      processes,
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
      processes: processes.filter((kind) => kind !== "bridge"),
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
      processes: ["bridge"],
      open: ["", "0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "bridge.local", "127.example.org"].map(
        (AUTH_GRPC_HOST) => ({ AUTH_GRPC_HOST }),
      ),
      closed: [
        { AUTH_GRPC_HOST: "0.0.0.0", AUTH_GRPC_TLS_CERT: cert, AUTH_GRPC_TLS_KEY: tlsKey },
        ...["127.0.0.1", "127.8.9.10", "localhost", "::1"].map((AUTH_GRPC_HOST) => ({ AUTH_GRPC_HOST })),
      ],
    },
    AUTH_SMTP_PLAINTEXT: {
      processes: ["mailer", "dev"],
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
    (name, { open, processes: speakers }) => {
      for (const env of open)
        for (const kind of [...processes, "dev"] as ProcessName[]) {
          const faults = faultsOf({ ...base, ...env }, kind);
          const wanted = speakers.includes(kind)
            ? [expect.stringMatching(new RegExp(`in the open: .+, or ${name}=true`))]
            : [];
          expect([env, kind, faults]).toEqual([env, kind, wanted]);
          expect(faultsOf({ ...base, ...env, [name]: "true" }, kind)).toEqual([]); // the control
        }
    },
  );

  test.each(rows)("is none that is closed, or stays on this machine: %s", (_name, { closed, processes: speakers }) => {
    for (const env of closed)
      for (const kind of speakers) expect([env, faultsOf({ ...base, ...env }, kind)]).toEqual([env, []]);
  });

  test("is told beside all other faults, and of every kind at once", () => {
    const mailers = rows.filter(([, each]) => each.processes.includes("mailer"));
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
