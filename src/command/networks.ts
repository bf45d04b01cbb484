// The networks of a client's address, by which attempts and limits across accounts are counted (docs/guessing.md). IPv4
// counts by address. An IPv6 subscriber has a prefix of 56 bits or shorter and a site one of 48 (RFC 6177, BCP 157), so
// counting single IPv6 addresses would limit nobody.
import { isIPv4 } from "node:net";
import { groupsOf, readIp } from "../protocol/client-address.ts";

export interface Networks {
  /** An IPv4 /32 or an IPv6 /56. */
  narrow: string;
  /** The IPv6 /48 around it. */
  wide: string | undefined;
}

/** Undefined where the text is not an address. */
export function clientNetworks(ip: string | null | undefined): Networks | undefined {
  const address = readIp(ip ?? "");
  if (address === undefined) return undefined;
  if (isIPv4(address)) return { narrow: `${address}/32`, wide: undefined };
  const groups = groupsOf(address);
  const [site, subnet] = [groups.slice(0, 3), groups[3]! & 0xff00];
  const hex = (several: number[]): string => several.map((group) => group.toString(16)).join(":");
  return { narrow: `${hex([...site, subnet])}::/56`, wide: `${hex(site)}::/48` };
}
