// /healthz, /readyz and /metrics as an orchestrator and a scraper see them.
import { connect } from "node:net";
import { type HttpServer, type Problem, type Route, serveHttp } from "../../src/runtime/http.ts";
import { makeMetrics } from "../../src/runtime/metrics.ts";

const metrics = makeMetrics({ process: "worker" });
let live: Problem[] = [];
let ready: Problem[] = [];
let server: HttpServer;

const checks = { live: () => live, ready: () => ready };
const hello: Route = async () => ({ status: 200, contentType: "text/plain", body: "grüße", headers: { etag: '"1"' } });
const broken: Route = () => Promise.reject(new Error("a secret"));

beforeAll(async () => {
  const routes = { "/hello": hello, "/broken": broken };
  server = await serveHttp({ host: "127.0.0.1", port: 0, checks, metrics, routes });
});
afterAll(async () => {
  await server.close();
  metrics.stop();
});

async function get(path: string, method = "GET") {
  const response = await fetch(server.url + path, { method });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

test("/healthz is 200 ok while the process is alive, and 503 with the reason when it is not", async () => {
  expect(await get("/healthz")).toMatchObject({ status: 200, body: "ok\n" });
  live = [{ name: "consumer", reason: "has not polled for 30 s" }];
  expect(await get("/healthz")).toMatchObject({ status: 503, body: "consumer: has not polled for 30 s\n" });
  live = [];
});

test("/readyz lists what keeps it from work, and /healthz does not care", async () => {
  const body = async () => JSON.parse((await get("/readyz?verbose")).body);
  expect(await body()).toEqual({ ready: true });
  ready = [{ name: "kafka", reason: "is not connected" }];
  expect((await get("/readyz")).status).toBe(503);
  expect(await body()).toEqual({ ready: false, failing: ready });
  expect((await get("/healthz")).status).toBe(200);
  ready = [];
});

test("/readyz names what the configuration relaxes, ready or not", async () => {
  const options = { host: "127.0.0.1", port: 0, checks, metrics, relaxed: ["AUTH_REQUIRE_SEALED=false"] };
  const lax = await serveHttp(options);
  const body = async () => (await fetch(`${lax.url}/readyz`)).json();
  expect(await body()).toEqual({ ready: true, relaxed: ["AUTH_REQUIRE_SEALED=false"] });
  ready = [{ name: "kafka", reason: "is not connected" }];
  expect(await body()).toEqual({ ready: false, failing: ready, relaxed: ["AUTH_REQUIRE_SEALED=false"] });
  ready = [];
  await lax.close();
});

test("/metrics has the process's and our own samples, each with the labels of the process", async () => {
  metrics.counter("auth_test_total", "A test.", ["topic"]).inc({ topic: "t" }, 3);
  let asked = 0;
  metrics.gauge("auth_test_depth", "A test.", [], (gauge) => gauge.set(++asked));
  metrics.histogram("auth_test_seconds", "A test.", [], [1, 2]).observe(1.5);
  await get("/metrics");
  const { body, headers } = await get("/metrics");
  expect(headers.get("content-type")).toMatch("text/plain; version=0.0.4");
  expect(body).toContain('auth_test_total{topic="t",process="worker"} 3\n');
  expect(body).toContain('auth_test_depth{process="worker"} 2\n');
  expect(body).toContain('auth_test_seconds_bucket{le="2",process="worker"} 1\n');
  expect(body).toContain("nodejs_eventloop_lag_p99_seconds");
  expect(body).toContain('nodejs_active_resources{type="');
  const gauges = [...body.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name]) => name!);
  expect(gauges.filter((name) => name.endsWith("_total"))).toEqual([]); // a reader takes such a name for a counter's
});

test("two processes' metrics in one process do not meet", async () => {
  const other = makeMetrics({ process: "relay" });
  other.counter("auth_test_apart_total", "A test.").inc();
  metrics.counter("auth_test_apart_total", "A test.");
  expect(await other.text()).toContain('auth_test_apart_total{process="relay"} 1');
  expect(await metrics.text()).toContain('auth_test_apart_total{process="worker"} 0');
  other.stop();
  expect((await other.text()).trim()).toBe("");
});

test("a role's own route is served with its headers", async () => {
  const { status, body, headers } = await get("/hello");
  expect([status, body, headers.get("etag"), headers.get("content-length")]).toEqual([200, "grüße", '"1"', "7"]);
});

test("a route that fails is 500 and keeps its reason to itself; the server goes on", async () => {
  const { status, body } = await get("/broken");
  expect(status).toBe(500);
  expect(body).not.toContain("secret");
  expect((await get("/healthz")).status).toBe(200);
});

test("another path is 404 in JSON, another method 405; HEAD is GET without the body", async () => {
  expect(JSON.parse((await get("/")).body).paths).toContain("/readyz");
  expect((await get("//")).status).toBe(404);
  const post = await get("/healthz", "POST");
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const head = await get("/healthz", "HEAD");
  expect([head.status, head.body, head.headers.get("content-length")]).toEqual([200, "", "3"]);
});

test("a taken port is one sentence that says what to do", async () => {
  await expect(serveHttp({ host: "127.0.0.1", port: server.port, checks, metrics })).rejects.toThrow(
    `Port ${server.port} on 127.0.0.1 is taken by another program: set AUTH_HTTP_PORT to a free port, or to 0 for any.`,
  );
});

test("closing does not wait for a connection that says nothing", async () => {
  const own = await serveHttp({ host: "0.0.0.0", port: 0, checks, metrics });
  expect(own.url).toBe(`http://127.0.0.1:${own.port}`);
  const socket = connect(own.port, "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  const ended = new Promise((resolve) => socket.once("close", resolve));
  await own.close();
  await ended;
});
