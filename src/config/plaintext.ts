// Finds connections that would send a credential or a secret unencrypted: each is a fault at start, unless
// AUTH_<WHAT>_PLAINTEXT=true declares the network trusted. Connections within this machine are exempt.

import { readDatabaseAddress, shownPlace } from "../lib/database-address.ts";
import type { Config } from "./config.ts";
import type { ProcessName } from "./kinds.ts";

/**
 * Whether the connection stays on this machine.
 * @param host without brackets and port; empty: a Unix socket
 */
function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (name === "" || name.startsWith("/")) return true;
  if (name === "localhost" || name.endsWith(".localhost")) return true; // RFC 6761, section 6.3
  return /^127(\.\d{1,3}){3}$/.test(name) || name === "::1" || /^::ffff:127(\.\d{1,3}){3}$/.test(name);
}

/** Whether the connection to PostgreSQL leaves this machine without TLS. @param url postgresql:// */
export function isPlainDatabase(url: string): boolean {
  const { host, tls } = readDatabaseAddress(url);
  return tls === undefined && !isLoopback(host);
}

/** Whether mails, with their links, may be sent to the server unencrypted. @param url as in AUTH_SMTP_URL */
function isPlainSmtp(url: string): boolean {
  const { protocol, hostname, username, searchParams } = new URL(url);
  if (protocol !== "smtp:" || isLoopback(hostname)) return false;
  return username === "" && searchParams.get("starttls") !== "required"; // with a user TLS is required (mail/smtp.ts)
}

interface Connection {
  /** Processes with this connection. `dev` passes its own addresses to its children, except for mails. */
  processes: readonly ProcessName[];
  of: readonly (keyof Config)[];
  allowed: keyof Config;
  /** What would be sent unencrypted, and the remedy; undefined: nothing. */
  open(config: Config): string | undefined;
}

const online: ProcessName[] = ["worker", "relay", "bridge", "mailer", "migrate", "ctl"];

const connections: Connection[] = [
  {
    processes: online,
    of: ["AUTH_KAFKA_BROKERS", "AUTH_KAFKA_TLS", "AUTH_KAFKA_SASL_MECHANISM", "AUTH_KAFKA_SASL_PASSWORD"],
    allowed: "AUTH_KAFKA_PLAINTEXT",
    open(config) {
      const { AUTH_KAFKA_BROKERS: brokers = [], AUTH_KAFKA_TLS: tls, AUTH_KAFKA_SASL_MECHANISM: mechanism } = config;
      const remote = brokers.find((each) => !isLoopback(each.replace(/:\d+$/, "")));
      const sends = mechanism === "plain" && config.AUTH_KAFKA_SASL_PASSWORD !== undefined;
      if (tls || !sends || remote === undefined) return undefined;
      return `AUTH_KAFKA_SASL_MECHANISM plain would send the password to ${remote} in the open: set AUTH_KAFKA_TLS=true`;
    },
  },
  {
    processes: online,
    of: ["AUTH_REGISTRY_URL", "AUTH_REGISTRY_USERNAME", "AUTH_REGISTRY_PASSWORD"],
    allowed: "AUTH_REGISTRY_PLAINTEXT",
    open({ AUTH_REGISTRY_URL: address, AUTH_REGISTRY_USERNAME: name, AUTH_REGISTRY_PASSWORD: password }) {
      if (address === undefined) return undefined;
      const { protocol, hostname, host, username } = new URL(address);
      const basic = username !== "" || (name && password);
      if (!basic || protocol !== "http:" || isLoopback(hostname)) return undefined;
      return `AUTH_REGISTRY_URL would send the registry's password to ${host} in the open: use https://`;
    },
  },
  {
    processes: ["worker", "relay", "mailer", "migrate", "ctl"],
    of: ["AUTH_DATABASE_URL"],
    allowed: "AUTH_DATABASE_PLAINTEXT",
    open({ AUTH_DATABASE_URL: address }) {
      if (address === undefined || !isPlainDatabase(address)) return undefined;
      return `AUTH_DATABASE_URL speaks to ${shownPlace(readDatabaseAddress(address))} in the open: add sslmode=require`;
    },
  },
  {
    processes: ["bridge"],
    of: ["AUTH_GRPC_HOST", "AUTH_GRPC_TLS_CERT"],
    allowed: "AUTH_GRPC_PLAINTEXT",
    open({ AUTH_GRPC_HOST: host, AUTH_GRPC_TLS_CERT: cert }) {
      if (cert !== undefined || isLoopback(host)) return undefined;
      return `AUTH_GRPC_HOST ${host} would take passwords in the open: set AUTH_GRPC_TLS_CERT and AUTH_GRPC_TLS_KEY`;
    },
  },
  {
    processes: ["mailer", "dev"],
    of: ["AUTH_SMTP_URL"],
    allowed: "AUTH_SMTP_PLAINTEXT",
    open({ AUTH_SMTP_URL: address }) {
      if (address === undefined || !isPlainSmtp(address)) return undefined;
      return `AUTH_SMTP_URL may send mails to ${new URL(address).host} in the open: use smtps://, or add ?starttls=required`;
    },
  },
];

/** @param unread variables that could not be parsed: they are not checked here */
export function plaintextFaults(
  config: Config,
  { processName, unread }: { processName: ProcessName; unread: ReadonlySet<string> },
): string[] {
  return connections.flatMap(({ processes, of, allowed, open }) => {
    if (
      !processes.includes(processName) ||
      [...of, allowed].some((name) => unread.has(name)) ||
      config[allowed] === true
    )
      return [];
    const what = open(config);
    return what === undefined ? [] : [`${what}, or ${allowed}=true where the network between is trusted`];
  });
}
