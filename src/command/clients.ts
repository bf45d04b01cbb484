// The field `client` of a request, checked and brought into the form that sessions and events store, before the handler
// runs.
import { readIp } from "../protocol/client-address.ts";
import { invalid } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";

/** In code points. */
const longest = { userAgent: 512, device: 256 } as const;

/** The request with its client checked, or unchanged without one. @throws Refusal INVALID_INPUT with details.field */
export function withClient(request: object): object {
  const { client } = request as { client?: Client | null };
  return client ? { ...request, client: checkedClient(client) } : request;
}

function checkedClient({ ip = null, userAgent = null, device = null }: Partial<Client>): Client {
  const address = ip === null ? null : readIp(ip);
  if (address === undefined) throw invalid("client.ip", "must be an IP address");
  return { ip: address, userAgent: bounded("userAgent", userAgent), device: bounded("device", device) };
}

function bounded(field: keyof typeof longest, text: string | null): string | null {
  if (text !== null && [...text].length > longest[field])
    throw invalid(`client.${field}`, `must have at most ${longest[field]} characters`);
  return text;
}
