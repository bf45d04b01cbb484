// Everything that is reached by an address, by one of version 6 in brackets, and PostgreSQL also by a socket's folder
// and over TLS. What the servers of the stack do not offer themselves stands before them: a listener on ::1, on a
// socket or with a certificate that passes bytes on.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterAll, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { sql } from "slonik";
import { connectRegistry } from "../../src/bus/avro/schema-store.ts";
import { openPool } from "../../src/db/pool.ts";
import { connectKafka, type KafkaDriverName } from "../../src/kafka/kafka.ts";
import { withColons, withoutColons } from "../../src/kafka/kafkajs/fetch.ts";
import { readDatabaseAddress } from "../../src/lib/database-address.ts";
import { smtpServer } from "../../src/mail/smtp.ts";
import { serveHttp } from "../../src/runtime/http.ts";
import { makeMetrics } from "../../src/runtime/metrics.ts";
import { selfSigned } from "../bridge/certificate.ts";
import { startBridge } from "../bridge/pretend-fleet.ts";
import { sharedFleet } from "../support/fleet-addresses.ts";
import { quiet } from "../support/logger.ts";
import { startSmtp } from "../support/smtp.ts";
import { testStack } from "../support/stack.ts";

const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops.reverse()) stop();
});

/** Passes on what comes where it listens. @param secure what becomes of a socket before its bytes are passed on */
async function forward(
  target: { host: string; port: number },
  listen: ListenOptions,
  secure: (socket: Socket) => Promise<Socket> = async (socket) => socket,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    sockets.add(socket);
    void secure(socket).then(
      (near) => {
        const far = connect(target);
        sockets.add(far);
        for (const [from, to] of [[near, far] as const, [far, near] as const]) {
          from.on("error", () => to.destroy());
          from.pipe(to);
        }
      },
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => void server.listen(listen, resolve));
  stops.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

const placeOf = (address: string): { host: string; port: number } => {
  const { hostname, port } = new URL(address.includes("://") ? address : `tcp://${address}`);
  return { host: hostname, port: Number(port) };
};
const loopback = { host: "::1", port: 0 };

test.each<KafkaDriverName>(["kafkajs", "platformatic"])("a broker, with %s", async (driver) => {
  const port = await forward(placeOf(testStack().kafka), loopback);
  const kafka = connectKafka(
    {
      driver,
      brokers: [`[::1]:${port}`],
      clientId: "test",
      prefix: sharedFleet().prefix,
      tls: undefined,
      sasl: undefined,
    },
    quiet,
  );
  expect(await kafka.partitionsOf("auth.session.login")).toBeGreaterThan(0);
  await kafka.close();
});

test.each(["[::1]:9092", "[2001:db8::1]:1", "[fe80::1%eth0]:9092", "[fe80::1%my-eth]:9092"])(
  "%s goes through kafkajs as a name without colons, and is itself again at the socket",
  (broker) => {
    const [host, port, ...more] = withoutColons(broker).split(":");
    expect([withColons(host!), port, more]).toEqual([...broker.slice(1).split("]:"), []]);
    expect(withoutColons("kafka:9092")).toBe("kafka:9092");
    expect(withColons("kafka")).toBe("kafka");
  },
);

test("the registry, and one that wants a user who stands in its URL", async () => {
  const { registry } = testStack();
  const port = await forward(placeOf(registry), loopback);
  const { pathname } = new URL(registry);
  const reached = connectRegistry({ url: `http://me:p%40ss@[::1]:${port}${pathname}` });
  expect(await reached.idOf("no-such-subject", { type: "string" })).toBeUndefined();
});

test("the SMTP server", async () => {
  const smtp = await startSmtp();
  const port = await forward({ host: "127.0.0.1", port: smtp.port }, loopback);
  const mail = { mailId: "m", at: 0, subject: "s", text: "t", html: "h", to: "ada@example.com" };
  await smtpServer(`smtp://[::1]:${port}`, "auth@example.org").send(mail);
  expect(await smtp.to(mail.to)).toHaveLength(1);
  await smtp.close();
});

test("the bridge, and what every process serves", async () => {
  const bridge = await startBridge({ env: { AUTH_GRPC_HOST: "[::1]" }, host: "[::1]" });
  expect(await bridge.gateway.health("auth.Auth")).toBe("SERVING");
  await bridge.stop();
  const http = await serveHttp({
    host: "::1",
    port: 0,
    checks: { live: () => [], ready: () => [] },
    metrics: makeMetrics({ process: "bridge" }),
    relaxed: [],
    routes: {},
    log: quiet,
  });
  expect(http.url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  expect((await fetch(`${http.url}/healthz`)).status).toBe(200);
  await http.close();
});

describe("PostgreSQL", () => {
  const folder = mkdtempSync(join(tmpdir(), "auth-ipv6-"));
  stops.push(() => rmSync(folder, { recursive: true, force: true }));
  const database = new URL(testStack().database);
  const target = placeOf(database.href);
  const login = `${database.username}${database.password && `:${database.password}`}`;
  const withRoot = selfSigned("db.example", ["db.example"]);
  const root = join(folder, "root.pem");
  writeFileSync(root, withRoot.cert);

  /** As a server with a certificate answers the request for TLS. */
  const secured = async (socket: Socket): Promise<Socket> => {
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write("S");
    return new TLSSocket(socket, { isServer: true, ...withRoot });
  };

  /** What the pool and the connection that listens see of the server; or why not. */
  async function reached(url: string): Promise<unknown[]> {
    const pool = await openPool({ url, size: 1, applicationName: "test" });
    const one: unknown = await pool.oneFirst(sql.unsafe`SELECT 1`);
    await pool.end();
    const { tls, ...place } = readDatabaseAddress(url);
    const client = new pg.Client({ ...place, ssl: tls ?? false });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return [one, (await client.query("SELECT 1 AS one")).rows[0]];
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  test("by an address of version 6", async () => {
    const port = await forward(target, loopback);
    expect(await reached(`postgresql://${login}@[::1]:${port}${database.pathname}`)).toEqual([1, { one: 1 }]);
  });

  test("by a socket's folder, written in both ways", async () => {
    await forward(target, { path: join(folder, ".s.PGSQL.5432") });
    const encoded = encodeURIComponent(folder);
    const name = database.pathname;
    for (const url of [
      `postgresql://${login}@${encoded}${name}`,
      `postgresql://${name}?host=${encoded}&user=${database.username}&password=${database.password}&sslmode=require`,
    ])
      expect(await reached(url)).toEqual([1, { one: 1 }]);
  });

  test("over TLS: what is checked is what sslmode says", async () => {
    const port = await forward(target, { host: "127.0.0.1", port: 0 }, secured);
    const at = (host: string, mode: string, more = "") =>
      reached(`postgresql://${login}@${host}:${port}${database.pathname}?sslmode=${mode}${more}`);
    const good = [1, { one: 1 }];
    expect(await at("127.0.0.1", "verify-full", `&sslrootcert=${root}`)).toEqual(good);
    expect(await at("127.0.0.1", "require", `&sslrootcert=${root}`)).toEqual(good);
    expect(await at("localhost", "verify-ca", `&sslrootcert=${root}`)).toEqual(good);
    expect(await at("localhost", "no-verify")).toEqual(good);
    await expect(at("localhost", "verify-full", `&sslrootcert=${root}`)).rejects.toThrow(/altnames/); // not its name
    await expect(at("127.0.0.1", "verify-full")).rejects.toThrow(/self.signed/); // of nobody that this machine knows
  });
});
