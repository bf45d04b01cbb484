// Parses PostgreSQL URLs as libpq does (postgresql://user:password@host:port/database?sslmode=…), with a host name, an
// IPv4 or IPv6 address, or a folder with a Unix socket. One parser for slonik and pg, whose own ones differ from libpq
// and from each other. TLS: `require` and `verify-full` check the server's certificate and its name, `verify-ca` the
// certificate only, `no-verify` nothing; against the system's authorities or those in `sslrootcert`. Modes that may
// fall back to plaintext (allow, prefer) are refused.
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { asError } from "./errors.ts";

export interface DatabaseAddress {
  /** A name, an address without brackets, or the absolute path of a folder. */
  host: string;
  port: number;
  database: string | undefined;
  user: string | undefined;
  password: string | undefined;
  applicationName: string | undefined;
  /** Session options in psql's form: -c name=value. */
  options: string | undefined;
  /** Absent: plaintext. */
  tls: ConnectionOptions | undefined;
}

const form = "must be a URL such as postgresql://user:password@host:5432/database?sslmode=verify-full";
const places = ["host", "port", "user", "password", "dbname"] as const;
const taken = [...places, "sslmode", "ssl", "sslrootcert", "sslcert", "sslkey", "application_name", "options"];
const modes = ["disable", "no-verify", "require", "verify-ca", "verify-full"] as const;
type Mode = (typeof modes)[number];

/** @throws Error with the problem, to be read after the variable's name; never with the password */
export function readDatabaseAddress(text: string): DatabaseAddress {
  const url = parsed(text);
  const parameters = parametersOf(url);
  const { pathname, username, password, port } = url;
  const given = {
    host: decoded(url.hostname).replace(/^\[|\]$/g, ""),
    port,
    user: decoded(username),
    password: decoded(password),
    dbname: decoded(pathname.replace(/^\//, "")),
  };
  const place = (name: (typeof places)[number]): string | undefined => {
    if (given[name] !== "" && parameters.has(name)) throw new Error(`has its ${name} twice: before and behind the ?`);
    return given[name] || parameters.get(name) || undefined;
  };
  const host = place("host") ?? "localhost";
  if (host.includes(",")) throw new Error("has several hosts: name one, such as the primary's service or a proxy");
  return {
    host,
    port: portOf(place("port") ?? "5432"),
    database: place("dbname"),
    user: place("user"),
    password: place("password"),
    applicationName: parameters.get("application_name"),
    options: parameters.get("options"),
    tls: host.startsWith("/") ? undefined : tlsOf(parameters), // a local socket has no TLS
  };
}

/**
 * The same as slonik takes it, whose own reading knows no addresses in brackets and only some of sslmode. TLS is given
 * to it beside.
 */
export function slonikUrl(address: DatabaseAddress): string {
  const { host, port, database = "", user = "", password = "", applicationName, options } = address;
  const more = new URLSearchParams();
  if (applicationName !== undefined) more.set("application_name", applicationName);
  if (options !== undefined) more.set("options", options);
  const [name, secret, at, folder] = [user, password, host, database].map(encodeURIComponent);
  const login = user === "" ? "" : `${name}${password === "" ? "" : `:${secret}`}@`;
  return `postgresql://${login}${at}:${port}/${folder}?${more}`;
}

/** Host and port for a sentence. */
export function shownPlace({ host, port }: DatabaseAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parsed(text: string): URL {
  if (/^postgres(ql)?:\/\/[^/?]*,/i.test(text))
    throw new Error("has several hosts: name one, such as the primary's service or a proxy");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol) || url.hash !== "") throw new Error(form);
  return url;
}

function parametersOf({ searchParams }: URL): Map<string, string> {
  const strange = [...searchParams.keys()].find((name) => !taken.includes(name));
  if (strange !== undefined)
    throw new Error(`has the parameter ${strange}, which is not taken: there are ${taken.join(", ")}`);
  const twice = [...searchParams.keys()].find((name) => searchParams.getAll(name).length > 1);
  if (twice !== undefined) throw new Error(`has the parameter ${twice} twice`);
  return new Map(searchParams);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error(`${form}; what is no letter or digit in a name or password is written %XX`);
  }
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Error("must have a port from 1 to 65535");
  return port;
}

function tlsOf(parameters: ReadonlyMap<string, string>): ConnectionOptions | undefined {
  const mode = modeOf(parameters);
  const [ca, cert, key] = ["sslrootcert", "sslcert", "sslkey"].map((name) => fileOf(name, parameters.get(name)));
  if (mode === "disable") return undefined;
  if ((cert === undefined) !== (key === undefined)) throw new Error("must have both sslcert and sslkey, or neither");
  return {
    rejectUnauthorized: mode !== "no-verify",
    ...(mode === "verify-ca" && { checkServerIdentity: () => undefined }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert, key }),
  };
}

const flags: Record<string, Mode> = { true: "require", "1": "require", false: "disable", "0": "disable" };

function modeOf(parameters: ReadonlyMap<string, string>): Mode {
  const given = parameters.get("sslmode") ?? parameters.get("ssl") ?? "disable"; // ssl=true is of JDBC and pg, ssl=require of asyncpg
  const text = Object.hasOwn(flags, given) ? flags[given] : given;
  const mode = modes.find((each) => each === text);
  if (mode === undefined) throw new Error(`has the sslmode ${text}, which is not taken: there are ${modes.join(", ")}`);
  return mode;
}

function fileOf(name: string, path: string | undefined): string | undefined {
  if (path === undefined || (name === "sslrootcert" && path === "system")) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`has ${name}=${path}, which cannot be read: ${asError(error).message}`);
  }
}
