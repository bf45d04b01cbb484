// The HTTP routes of every process on AUTH_HTTP_PORT: /healthz (must it be restarted?), /readyz (should it get work?),
// /metrics, and routes that a process adds. Health is checked on each request, never cached. GET and HEAD only; no
// secrets, no state. Liveness must not depend on anything outside the process: otherwise a broker that is down would
// restart every process in a loop.
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { asError } from "../lib/errors.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** A problem: what, and why. */
export interface Problem {
  name: string;
  reason: string;
}

interface Checks {
  /** Problems that only a restart can fix. */
  live: () => Problem[];
  /** Problems that keep the process from serving now. */
  ready: () => Problem[];
}

export interface HttpAnswer {
  status: number;
  contentType: string;
  body: string;
  headers?: Record<string, string>;
}

/** Answers one path. */
export type Route = () => Promise<HttpAnswer>;

export interface HttpOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  checks: Checks;
  metrics: Metrics;
  /** What the configuration relaxes (config/relaxed.ts), for /readyz. */
  relaxed?: string[];
  /** path -> its handler */
  routes?: Record<string, Route>;
  /** Called when a route fails; the caller only learns that it did. */
  log?: Logger;
}

export interface HttpServer {
  /** Its address on this machine. */
  url: string;
  port: number;
  /** Closes open connections and frees the port. */
  close(): Promise<void>;
}

/** @throws Error in one sentence, where the port is not available */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const routes = new Map(Object.entries({ ...ownRoutes(options), ...options.routes }));
  const server = createServer((request, response) => {
    answer(request, routes)
      .catch((thrown: unknown) => {
        options.log?.error({ path: pathOf(request), err: asError(thrown) }, "An HTTP route failed.");
        return json(500, { error: "This route has failed." });
      })
      .then(({ status, contentType, body, headers }) => {
        const length = Buffer.byteLength(body);
        response.writeHead(status, {
          "content-type": contentType,
          "content-length": length,
          "cache-control": "no-store",
          ...headers,
        });
        response.end(body);
      })
      .catch((thrown: unknown) => response.destroy(asError(thrown)));
  });
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return { url: `http://${reachable(options.host)}:${port}`, port, close: () => close(server) };
}

function ownRoutes({ checks, metrics, relaxed = [] }: HttpOptions): Record<string, Route> {
  return {
    "/healthz": async () => {
      const problems = checks.live();
      const reasons = problems.map(({ name, reason }) => `${name}: ${reason}`);
      return text(problems.length === 0 ? 200 : 503, problems.length === 0 ? "ok" : reasons.join("\n"));
    },
    "/readyz": async () => {
      const failing = checks.ready();
      const named = relaxed.length === 0 ? {} : { relaxed };
      return failing.length === 0
        ? json(200, { ready: true, ...named })
        : json(503, { ready: false, failing, ...named });
    },
    "/metrics": async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.text() }),
  };
}

/**
 * RFC 7517; 503 while no key is known. Keys are published 10 min before their first use, so a cache of 5 min is safe.
 */
export function jwksAnswer(jwks: { keys: object[] } | undefined): HttpAnswer {
  if (jwks === undefined || jwks.keys.length === 0) return json(503, { error: "The keys are not known yet." });
  const headers = { "cache-control": "public, max-age=300" };
  return { status: 200, contentType: "application/jwk-set+json", body: JSON.stringify(jwks), headers };
}

async function answer(request: IncomingMessage, routes: Map<string, Route>): Promise<HttpAnswer> {
  const route = routes.get(pathOf(request));
  if (route === undefined) return json(404, { error: "There is no such path.", paths: [...routes.keys()] });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { ...json(405, { error: "Only GET and HEAD are served." }), headers: { allow: "GET, HEAD" } };
  }
  return await route();
}

/** The path without its query. Not by `new URL`, which throws on paths such as `//`. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0]!;
}

function json(status: number, body: object): HttpAnswer {
  return { status, contentType: "application/json; charset=utf-8", body: `${JSON.stringify(body)}\n` };
}

function text(status: number, body: string): HttpAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body: `${body}\n` };
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = `Port ${port} on ${host} is taken by another program: set AUTH_HTTP_PORT to a free port, or to 0 for any.`;
      reject(error.code === "EADDRINUSE" ? new Error(taken, { cause: error }) : error);
    });
    server.listen({ host, port }, resolve);
  });
}

/** "All addresses" is for listening, not for connecting. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Connections are cut: a scraper's keep-alive connection would otherwise delay the end, and a cut scrape is harmless.
 */
function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}
