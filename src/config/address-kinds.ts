// The kinds of configuration variable that say where something is: URLs, hosts, brokers, e-mail addresses, domains and
// origins. What is odd but right (an IPv6 address, an internationalised domain) works; what is not taken is told in one
// sentence that says what is. No sentence repeats a URL, which may have a password in it.
import { isIPv4, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { readDatabaseAddress } from "../lib/database-address.ts";
import { list } from "./kinds.ts";

function url(protocols: string[]): (value: string) => string {
  return (value) => {
    // Browsers ignore line ends and tabs anywhere in a URL: such a URL is not what it looks like.
    const read = URL.canParse(value) && !/[\s\p{Cc}]/u.test(value) ? new URL(value) : undefined;
    if (read === undefined || !protocols.includes(read.protocol))
      throw new Error(`must be a URL that starts with ${protocols.map((each) => `${each}//`).join(" or ")}`);
    return value;
  };
}

/** The base of the registry's API, without a trailing slash. */
export function registryUrl(value: string): string {
  const { username, password, search, hash } = new URL(url(["http:", "https:"])(value));
  checkPercents(username + password);
  if (search !== "" || hash !== "")
    throw new Error("must end where the registry's API begins: there is a ? or # in it");
  return value.replace(/\/+$/, "");
}

/** Unchanged, because it is parsed where it is used. */
export function databaseUrl(value: string): string {
  readDatabaseAddress(value);
  return value;
}

/** `smtp://user:password@host:port`, `smtps://…`, or `print:`. */
export function smtpUrl(value: string): string {
  const { protocol, hostname, username, password, pathname, search, hash } = new URL(
    url(["smtp:", "smtps:", "print:"])(value),
  );
  if (protocol === "print:") return value;
  if (hostname === "") throw new Error("must name a host: smtp://host:587 or smtps://host:465");
  if (!["", "/"].includes(pathname) || hash !== "" || !["", "?starttls=required"].includes(search))
    throw new Error("may have nothing behind its port but ?starttls=required");
  checkPercents(username + password);
  return value;
}

function checkPercents(login: string): void {
  try {
    decodeURIComponent(login);
  } catch {
    throw new Error("has a % in its user or password that stands for no character: write it %25");
  }
}

/** A host name, an IPv4 address, or an IPv6 address without brackets. */
const isHost = (host: string): boolean =>
  isIPv4(host) ||
  isIPv6(host) ||
  (/^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(host) &&
    !/^[\d.]+$/.test(host));

/** Kafka brokers; IPv6 addresses are in brackets. */
export function brokers(value: string): string[] {
  const addresses = list(value);
  const isBroker = (address: string): boolean => {
    const [, inBrackets, name, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address) ?? [];
    const host = inBrackets === undefined ? isHost(name ?? "") : isIPv6(inBrackets);
    return host && Number(port) >= 1 && Number(port) <= 65_535;
  };
  const bad = addresses.find((each) => !isBroker(each));
  if (addresses.length === 0 || bad !== undefined)
    throw new Error(
      `must be host:port,host:port, an IPv6 address in brackets ([::1]:9092), without a protocol (${bad ?? "empty"})`,
    );
  return addresses;
}

/** The listening address of a server of ours. @returns an IPv6 address without brackets */
export function listenHost(value: string): string {
  const host = value.replace(/^\[(.*)\]$/, "$1");
  const bracketed = host !== value;
  if (bracketed ? !isIPv6(host) : !isHost(host))
    throw new Error("must be a host name or an IP address, without a port, such as 0.0.0.0, :: or 127.0.0.1");
  return host;
}

const sentence = "must be an address, or Name <address>";

/**
 * The sender of mails: an address, or a name and an address in angle brackets. Its domain is converted to ASCII and may
 * have one label.
 */
export function mailSender(value: string): string {
  const [, name = "", bracketed, bare] =
    /^([^<>@\p{Cc}]*)<([^<>@\s\p{Cc}]+@[^<>@\s\p{Cc}]+)>$|^([^<>@\s\p{Cc}]+@[^<>@\s\p{Cc}]+)$/u.exec(value) ?? [];
  const address = bracketed ?? bare;
  if (address === undefined) throw new Error(sentence);
  const at = address.lastIndexOf("@");
  const domain = domainToASCII(address.slice(at + 1));
  if (domain === "" || !isHost(domain)) throw new Error(`${sentence}, with a domain behind the @`);
  const stored = `${address.slice(0, at)}@${domain}`;
  return bracketed === undefined ? stored : `${name}<${stored}>`;
}

/** The URL of a page, with a placeholder for the token. */
export function linkUrl(value: string): string {
  if (!value.includes("{token}")) throw new Error("must have {token} in it");
  return url(["http:", "https:"])(value);
}

/**
 * A relying party's id (WebAuthn, section 5.4.2): a domain, without scheme or port.
 * @returns it in ASCII and lower case, as browsers compare it
 */
export function domain(value: string): string {
  const ascii = /^[\p{L}\p{M}\p{N}.-]+$/u.test(value) ? domainToASCII(value) : "";
  if (!/^(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/.test(ascii))
    throw new Error("must be a domain, without scheme or port");
  return ascii;
}

/** Scheme, host and port, nothing else; or an Android app's origin. @returns them in the form of browsers */
export function origins(value: string): string[] {
  const found = list(value);
  const origin = (each: string): string | undefined => {
    if (/^android:apk-key-hash:[\w-]+$/.test(each)) return each;
    if (!/^https?:\/\/[^/?#@]+\/?$/i.test(each) || !URL.canParse(each)) return undefined;
    return new URL(each).origin;
  };
  const bad = found.find((each) => origin(each) === undefined);
  if (found.length === 0 || bad !== undefined)
    throw new Error(`must be origins such as https://example.com (${bad ?? "empty"})`);
  return found.map((each) => origin(each)!);
}
