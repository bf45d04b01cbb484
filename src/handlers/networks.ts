// The network of a client's address: what attempts are counted by (docs/security.md). A household or an office is one network; a
// subscriber's IPv6 prefix is 56 bits or shorter, so counting single addresses there would count nothing (RFC 6177; BCP 157).
import { isIPv4, isIPv6 } from "node:net";

/** `1.2.3.0/24`, `2001:db8:0:ab00::/56` in hex groups; undefined where the text is no address. An IPv4 address in IPv6 is IPv4. */
export function networkOf(ip: string | null | undefined): string | undefined {
  const text = ip?.split("%")[0]?.toLowerCase() ?? ""; // fe80::1%eth0
  if (isIPv4(text)) return `${text.split(".").slice(0, 3).join(".")}.0/24`;
  if (!isIPv6(text)) return undefined;
  const groups = groupsOf(text);
  if (isMapped(groups)) return `${groups[6]! >> 8}.${groups[6]! & 0xff}.${groups[7]! >> 8}.0/24`;
  const kept = [groups[0]!, groups[1]!, groups[2]!, groups[3]! & 0xff00];
  return `${kept.map((group) => group.toString(16)).join(":")}::/56`;
}

/** What limits across accounts count by (docs/security.md): an IPv4 address; an IPv6 /56, and the /48 around it. */
export interface LimitNetworks {
  narrow: string;
  wide: string | undefined;
}

/** Undefined where the text is no address. An IPv4 address in IPv6 is IPv4. */
export function limitNetworksOf(ip: string | null | undefined): LimitNetworks | undefined {
  const text = ip?.split("%")[0]?.toLowerCase() ?? "";
  if (isIPv4(text)) return { narrow: `${text}/32`, wide: undefined };
  if (!isIPv6(text)) return undefined;
  const groups = groupsOf(text);
  if (isMapped(groups)) {
    const bytes = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
    return { narrow: `${bytes.join(".")}/32`, wide: undefined };
  }
  const [site, subnet] = [groups.slice(0, 3), groups[3]! & 0xff00];
  const hex = (several: number[]): string => several.map((group) => group.toString(16)).join(":");
  return { narrow: `${hex([...site, subnet])}::/56`, wide: `${hex(site)}::/48` };
}

const isMapped = (groups: number[]): boolean =>
  groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;

/** The eight groups of a valid address. */
function groupsOf(text: string): number[] {
  const [head = "", tail] = text.split("::");
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
