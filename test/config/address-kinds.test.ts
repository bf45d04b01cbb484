// Where things are, as operators write it: what is odd but right works, what is not taken is told in one sentence that
// names the variable and repeats no password.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { ConfigFault, type Environment, readConfig } from "../../src/config/read.ts";
import { variables } from "../../src/config/variables.ts";
import { readDatabaseAddress, slonikUrl } from "../../src/lib/database-address.ts";
import { selfSigned } from "../bridge/certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "auth-addresses-"));
afterAll(() => rmSync(folder, { recursive: true }));
const { cert, key } = selfSigned();
const path = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const [certFile, keyFile] = [path("cert.pem", cert), path("key.pem", key)];

type Name = keyof ReturnType<typeof readConfig>;
const configured = (name: Name, text: string): unknown => variables[name].parse(text);

function faultsOf(env: Environment): string[] {
  try {
    readConfig(env, "ctl");
    return [];
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults;
    throw error;
  }
}

const plain = { host: "db", port: 5432, database: "auth", user: "me", password: "a:b/c@d%", tls: undefined };
const nothing = { applicationName: undefined, options: undefined };
const verified = { rejectUnauthorized: true };

describe("a database's URL", () => {
  test.each([
    ["postgresql://me:a%3Ab%2Fc%40d%25@db/auth", { ...plain }],
    ["postgres://db", { ...plain, database: undefined, user: undefined, password: undefined }],
    ["postgresql://me@db:5433/my%20auth", { ...plain, port: 5433, database: "my auth", password: undefined }],
    ["postgresql://me@[fd00::1]:5433/auth", { ...plain, host: "fd00::1", port: 5433, password: undefined }],
    ["postgresql://me@[::1]/auth", { ...plain, host: "::1", password: undefined }],
    [
      "postgresql:///auth?host=/var/run/postgresql&user=me",
      { ...plain, host: "/var/run/postgresql", password: undefined },
    ],
    ["postgresql://me@%2Fvar%2Frun%2Fpostgresql/auth", { ...plain, host: "/var/run/postgresql", password: undefined }],
    ["postgresql:///?host=db&port=6432&dbname=auth&user=me", { ...plain, port: 6432, password: undefined }],
    [
      "postgresql://me@db/auth?application_name=x&options=-c%20a%3Db",
      { ...plain, password: undefined, applicationName: "x", options: "-c a=b" },
    ],
    ["postgresql://me@db/auth?sslmode=disable", { ...plain, password: undefined }],
    ["postgresql://me@db/auth?sslmode=require", { ...plain, password: undefined, tls: verified }],
    ["postgresql://me@db/auth?sslmode=verify-full", { ...plain, password: undefined, tls: verified }],
    [
      "postgresql://me@db/auth?sslmode=verify-full&sslrootcert=system",
      { ...plain, password: undefined, tls: verified },
    ],
    [
      "postgresql://me@db/auth?sslmode=no-verify",
      { ...plain, password: undefined, tls: { rejectUnauthorized: false } },
    ],
    ["postgresql://me@db/auth?ssl=true", { ...plain, password: undefined, tls: verified }],
    ["postgresql://me@db/auth?ssl=verify-full", { ...plain, password: undefined, tls: verified }],
    [
      `postgresql://me@db/auth?sslmode=verify-full&sslrootcert=${certFile}&sslcert=${certFile}&sslkey=${keyFile}`,
      { ...plain, password: undefined, tls: { ...verified, ca: cert, cert, key } },
    ],
    [
      "postgresql:///auth?host=/run/postgresql&sslmode=require",
      { ...plain, host: "/run/postgresql", user: undefined, password: undefined },
    ],
  ])("%s is taken", (url, expected) => {
    const address = readDatabaseAddress(url);
    expect(address).toEqual({ ...nothing, ...expected });
    // And slonik's form of it says the same.
    expect(readDatabaseAddress(slonikUrl(address))).toEqual({ ...address, tls: undefined });
  });

  test("with verify-ca asks for the certificate and not for its name", () => {
    const { tls } = readDatabaseAddress("postgresql://db/auth?sslmode=verify-ca");
    expect(tls).toMatchObject(verified);
    expect(tls!.checkServerIdentity!("db", {} as never)).toBeUndefined();
  });

  test.each([
    ["postgresql://me:secret@h1:5432,h2:5433/auth", "has several hosts"],
    ["postgresql://me:secret@h1,h2/auth", "has several hosts"],
    ["postgresql:///auth?host=h1,h2&password=secret", "has several hosts"],
    ["host=db user=me password=secret", "must be a URL such as postgresql://"],
    ["jdbc:postgresql://db/auth?password=secret", "must be a URL such as"],
    ["mysql://me:secret@db/auth", "must be a URL such as"],
    ["postgresql://me:secret@db:99999/auth", "must be a URL such as"],
    ["postgresql://me:secret@db:0/auth", "must have a port"],
    ["postgresql://me:sec%ret@db/auth", "written %XX"],
    [
      "postgresql://me:secret@db/auth?sslmode=prefer",
      "has the sslmode prefer, which is not taken: there are disable, no-verify",
    ],
    ["postgresql://me:secret@db/auth?sslmode=Verify_Full", "has the sslmode Verify_Full"],
    [
      "postgresql://me:secret@db/auth?sslrootcert=/nowhere/ca.pem&sslmode=verify-full",
      "has sslrootcert=/nowhere/ca.pem, which cannot be read",
    ],
    [`postgresql://me:secret@db/auth?sslmode=require&sslcert=${certFile}`, "must have both sslcert and sslkey"],
    [
      "postgresql://me:secret@db/auth?target_session_attrs=read-write",
      "has the parameter target_session_attrs, which is not taken",
    ],
    ["postgresql://me:secret@db/auth?schema=public", "has the parameter schema"],
    ["postgresql://me:secret@db/auth?user=you", "has its user twice"],
    ["postgresql://me:secret@db/auth?sslmode=require&sslmode=disable", "has the parameter sslmode twice"],
  ])("%s is told to be wrong in one sentence without its password", (text, told) => {
    const faults = faultsOf({ AUTH_DATABASE_URL: text });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^AUTH_DATABASE_URL /);
    expect(faults[0]).toContain(told);
    expect(faults[0]).not.toMatch(/secret|sec%ret|[\n{}]/);
  });
});

describe("what is odd but right is taken:", () => {
  test.each<[Name, string, unknown]>([
    [
      "AUTH_KAFKA_BROKERS",
      " kafka-1:9092 , [::1]:9092,[fe80::1%eth0]:9093,10.0.0.1:9092,my_broker.local.:1,",
      ["kafka-1:9092", "[::1]:9092", "[fe80::1%eth0]:9093", "10.0.0.1:9092", "my_broker.local.:1"],
    ],
    ["AUTH_REGISTRY_URL", "http://[::1]:8081/apis/ccompat/v7/", "http://[::1]:8081/apis/ccompat/v7"],
    ["AUTH_REGISTRY_URL", "HTTPS://Registry.Example", "HTTPS://Registry.Example"],
    ["AUTH_SMTP_URL", "smtp://me%40home:p%25w@[::1]:2525", "smtp://me%40home:p%25w@[::1]:2525"],
    ["AUTH_SMTP_URL", "smtps://mail.example/", "smtps://mail.example/"],
    ["AUTH_GRPC_HOST", "[::]", "::"],
    ["AUTH_GRPC_HOST", "::1", "::1"],
    ["AUTH_HTTP_HOST", "[fd00::1]", "fd00::1"],
    ["AUTH_HTTP_HOST", "localhost", "localhost"],
    ["AUTH_MAIL_FROM", "Дом <auth@bücher.example>", "Дом <auth@xn--bcher-kva.example>"],
    ["AUTH_MAIL_FROM", "auth@localhost", "auth@localhost"],
    ["AUTH_RP_ID", "Bücher.example", "xn--bcher-kva.example"],
    [
      "AUTH_RP_ORIGINS",
      "https://Example.com:443/, http://[::1]:3000,https://bücher.example",
      ["https://example.com", "http://[::1]:3000", "https://xn--bcher-kva.example"],
    ],
    ["AUTH_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512", "scram-sha-512"],
    ["AUTH_SIGNING_ALG", "es256", "ES256"],
    ["AUTH_KAFKA_TLS", "TRUE", true],
    ["AUTH_KAFKA_TLS", "No", false],
    ["AUTH_KAFKA_TLS_CA", cert.replaceAll("\n", "\\n"), cert],
    ["AUTH_KAFKA_TLS_CA", cert.replaceAll("\n", "\r\n"), cert.replaceAll("\n", "\r\n")],
    ["AUTH_KAFKA_TLS_CA", `of us:\n${cert}${cert}`, `of us:\n${cert}${cert}`],
  ])("%s=%s", (name, text, value) => {
    expect(configured(name, text)).toEqual(value);
  });
});

describe("what is not taken is told in one sentence that names the variable:", () => {
  test.each<[Name, string, string]>([
    ["AUTH_KAFKA_BROKERS", "::1:9092", "an IPv6 address in brackets"],
    ["AUTH_KAFKA_BROKERS", "SASL_SSL://kafka:9092", "without a protocol"],
    ["AUTH_KAFKA_BROKERS", "kafka:99999", "(kafka:99999)"],
    ["AUTH_KAFKA_BROKERS", "[kafka]:9092", "([kafka]:9092)"],
    ["AUTH_KAFKA_BROKERS", "1.2.3:9092", "(1.2.3:9092)"],
    ["AUTH_REGISTRY_URL", "registry:8081", "http:// or https://"],
    ["AUTH_REGISTRY_URL", "http://reg\nistry", "http:// or https://"],
    ["AUTH_REGISTRY_URL", "http://registry?x=1", "must end where the registry's API begins"],
    ["AUTH_REGISTRY_URL", "http://me:sec%ret@registry", "write it %25"],
    ["AUTH_SMTP_URL", "smtp://", "must name a host"],
    [
      "AUTH_SMTP_URL",
      "smtp://me:secret@mail?tls.rejectUnauthorized=false",
      "nothing behind its port but ?starttls=required",
    ],
    ["AUTH_SMTP_URL", "smtp://me:sec%ret@mail", "write it %25"],
    ["AUTH_GRPC_HOST", "0.0.0.0:50051", "without a port"],
    ["AUTH_GRPC_HOST", "[0.0.0.0]", "a host name or an IP address"],
    ["AUTH_HTTP_HOST", "http://localhost", "a host name or an IP address"],
    ["AUTH_MAIL_FROM", "Auth <auth@example.org>\r\nBcc: eve@example.com", "must be an address"],
    ["AUTH_MAIL_FROM", "auth@", "must be an address"],
    ["AUTH_MAIL_FROM", "auth@exa mple.org", "must be an address"],
    ["AUTH_MAIL_LINK_URL", "https://example.org/\r\n{token}", "http:// or https://"],
    ["AUTH_RP_ID", "https://example.com", "must be a domain"],
    ["AUTH_RP_ORIGINS", "https://example.com/login", "(https://example.com/login)"],
    ["AUTH_RP_ORIGINS", "example.com", "(example.com)"],
    ["AUTH_ISSUER", "auth\n", "must be one line"],
    ["AUTH_KAFKA_TLS_CA", "/etc/ssl/ca.pem", "must be PEM"],
    ["AUTH_KAFKA_TLS", "maybe", "must be true or false"],
  ])("%s=%j", (name, text, told) => {
    const faults = faultsOf({ [name]: text });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name} `));
    expect(faults[0]).toContain(told);
    expect(faults[0]).not.toMatch(/secret|sec%ret|[\r\n]/);
  });
});
