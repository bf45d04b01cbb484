// The networks of a client's address: what attempts and limits across accounts count by (docs/guessing.md). IPv4 counts
// by address. A subscriber's IPv6 prefix is 56 bits or shorter, so counting single addresses there would count nothing
// (RFC 6177; BCP 157); a site's is 48.
import { isIPv4 } from "node:net";
import { groupsOf, readIp } from "../protocol/client-address.ts";

export interface Networks {
  /** An IPv4 /32 or an IPv6 /56. */
  narrow: string;
  /** The IPv6 /48 around it. */
  wide: string | undefined;
}

/** Undefined where the text is no address. */
export function clientNetworks(ip: string | null | undefined): Networks | undefined {
  const address = readIp(ip ?? "");
  if (address === undefined) return undefined;
  if (isIPv4(address)) return { narrow: `${address}/32`, wide: undefined };
  const groups = groupsOf(address);
  const [site, subnet] = [groups.slice(0, 3), groups[3]! & 0xff00];
  const hex = (several: number[]): string => several.map((group) => group.toString(16)).join(":");
  return { narrow: `${hex([...site, subnet])}::/56`, wide: `${hex(site)}::/48` };
}
