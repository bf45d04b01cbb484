// Links that were mailed: checks the token of one against its row, for every command that takes one.

import type { Context } from "../command/context.ts";
import { isSecretOf, parseOpaque } from "../crypto/opaque.ts";
import { type OneTimeToken, type Purpose, tokenById, useToken } from "../db/one-time-tokens.ts";
import type { Read, Write } from "../db/statements.ts";
import { refuse } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import { checkToken } from "./input.ts";

export interface Link extends OneTimeToken {
  id: string;
  /** Include it in the commit that uses the link: only links that were not valid count. */
  refund: Write[];
  /** Marks the link as used; of two parallel uses one commits, and the other runs again and finds it used. */
  use: Write;
}

/**
 * The row of a valid token, and its user. Whoever has the link learns why it is no longer valid: details.reason is
 * `used`, `outdated` (an ending voided it, docs/accounts.md), or `address-taken` (another account confirmed the
 * address). A banned user is told so where the link alone identifies them; confirming an account requires more
 * (handlers/account/confirm.ts).
 * @param client the client that the requester serves: invalid links are counted by its network
 * @throws Refusal INVALID_INPUT, THROTTLED, TOKEN_INVALID (without a reason: unknown, forged or of another purpose),
 *   TOKEN_EXPIRED, BANNED
 */
export function requireLink(
  ctx: Context<"uses">,
  token: string,
  purpose: Purpose,
  client: Client | null,
): Promise<Link> {
  return checkedLink(token, purpose, async (read) => {
    const { row, refund } = await ctx.uses.count({ use: "link", client }, read);
    return { row, refund: [refund] };
  });
}

/** The same without counting, for requests that name no client or were counted before. */
export function requireUncountedLink(ctx: Context, token: string, purpose: Purpose): Promise<Link> {
  return checkedLink(token, purpose, async (read) => ({ row: await ctx.read(read), refund: [] }));
}

async function checkedLink(
  token: string,
  purpose: Purpose,
  readToken: (read: Read<OneTimeToken>) => Promise<{ row: OneTimeToken | null; refund: Write[] }>,
): Promise<Link> {
  checkToken("token", token);
  const presented = parseOpaque(token);
  if (presented === undefined) throw refuse("TOKEN_INVALID");
  const { row: stored, refund } = await readToken(tokenById(presented.id, purpose));
  if (stored === null || !isSecretOf(stored.secretHash, presented.secret)) throw refuse("TOKEN_INVALID");
  if (stored.used || (purpose === "confirm" && stored.confirmed))
    throw refuse("TOKEN_INVALID", { message: "The link was used before.", details: { reason: "used" } });
  if (purpose === "confirm" && stored.addressTaken)
    throw refuse("TOKEN_INVALID", {
      message: "Another account has this e-mail address now.",
      details: { reason: "address-taken" },
    });
  if (stored.expired) throw refuse("TOKEN_EXPIRED");
  if (stored.banned && purpose !== "confirm") throw refuse("BANNED");
  if (stored.outdated && !stored.banned)
    throw refuse("TOKEN_INVALID", {
      message: "The account was changed since the link was sent: ask for another one.",
      details: { reason: "outdated" },
    });
  return { ...stored, id: presented.id, use: useToken(presented.id), refund };
}
