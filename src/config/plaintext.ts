// Connections that would carry a credential or a secret in the open: each is a fault at the start unless
// AUTH_<WHAT>_PLAINTEXT=true says that the network between is trusted. What stays on this machine is exempt.

import { readDatabaseAddress, shownPlace } from "../lib/database-address.ts";
import type { Config } from "./config.ts";
import type { ProcessName } from "./kinds.ts";

/**
 * Whether what is sent there stays on this machine.
 * @param host without brackets and port; empty: a socket in the file system
 */
function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (name === "" || name.startsWith("/")) return true;
  if (name === "localhost" || name.endsWith(".localhost")) return true; // RFC 6761, section 6.3
  return /^127(\.\d{1,3}){3}$/.test(name) || name === "::1" || /^::ffff:127(\.\d{1,3}){3}$/.test(name);
}

/** Whether PostgreSQL is spoken to without TLS, off this machine. @param url postgresql:// */
export function isPlainDatabase(url: string): boolean {
  const { host, tls } = readDatabaseAddress(url);
  return tls === undefined && !isLoopback(host);
}

/** Whether mails, with their links, may go to the server in the open. @param url as AUTH_SMTP_URL has it */
function isPlainSmtp(url: string): boolean {
  const { protocol, hostname, username, searchParams } = new URL(url);
  if (protocol !== "smtp:" || isLoopback(hostname)) return false;
  return username === "" && searchParams.get("starttls") !== "required"; // with a user TLS is demanded (mail/smtp.ts)
}

interface Connection {
  /** Roles that make it. `dev` gives its children addresses of its own, but for mails. */
  processes: readonly ProcessName[];
  of: readonly (keyof Config)[];
  allowed: keyof Config;
  /** What goes in the open, and how it would not; undefined: nothing does. */
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

/** @param unread variables that could not be read: nothing is said of them here */
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
