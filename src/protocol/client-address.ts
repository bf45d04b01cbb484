// The address of a device as its requester reports it, perhaps from a proxy, in the one form that is stored and
// counted.

import { isIPv4, isIPv6 } from "node:net";

const longestText = 128;
const longestPort = 65_535;

/**
 * IPv4 with dots, IPv6 in the form of RFC 5952, without brackets, port and zone id; IPv4 in IPv6 (::ffff:…) becomes
 * IPv4.
 * @returns undefined for anything else
 */
export function readIp(text: string): string | undefined {
  if (text.length > longestText) return undefined;
  const given = text.trim();
  const [, bracketed, withPort] = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(given) ?? [];
  const [, beforePort, port = withPort] = /^([\d.]+):(\d{1,5})$/.exec(given) ?? [];
  if (port !== undefined && Number(port) > longestPort) return undefined;
  const [address = "", zone] = (bracketed ?? beforePort ?? given).split("%", 2);
  if (isIPv4(address)) return zone === undefined ? address : undefined;
  return isIPv6(address) && zone !== "" ? shortest(address) : undefined;
}

function shortest(address: string): string {
  const groups = groupsOf(address);
  if (isMapped(groups))
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join(".");
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

const isMapped = (groups: number[]): boolean =>
  groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;

/** The eight groups of a valid IPv6 address. */
export function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const start = numbersOf(head);
  if (tail === undefined) return start;
  const end = numbersOf(tail);
  return [...start, ...new Array<number>(8 - start.length - end.length).fill(0), ...end];
}

function numbersOf(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a, b, c, d] = group.split(".").map(Number) as [number, number, number, number];
    return [(a << 8) | b, (c << 8) | d];
  });
}
