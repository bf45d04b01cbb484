// Links that were mailed: the token of one, held against its row. Shared by every command that is given one.

import type { Context } from "../command/context.ts";
import { isSecretOf, parseOpaque } from "../crypto/opaque.ts";
import { type OneTimeToken, type Purpose, tokenById, useToken } from "../db/one-time-tokens.ts";
import type { Read, Write } from "../db/statements.ts";
import { refuse } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import { checkToken } from "./input.ts";

export interface Link extends OneTimeToken {
  id: string;
  /** Belongs into the commit that uses it: a link that held does not count as one that did not. */
  refund: Write[];
  /** Uses it up; of two at once one wins, and the other reads that it was used. */
  use: Write;
}

/**
 * The row of a token that is still good, and the user it is for. Who holds the link is told more than that it is not:
 * details.reason is `used` of one that has done its work, `outdated` of one that an ending took back
 * (docs/accounts.md), and `address-taken` where another account has confirmed the address meanwhile.
 * A user who is banned is told so here where the link is enough to show who it is; to confirm, more is asked
 * (account/confirm.ts).
 * @param client whom the requester serves: links that do not hold are counted by its network
 * @throws Refusal INVALID_INPUT, THROTTLED, TOKEN_INVALID (unknown, forged, of another purpose: without a reason),
 * TOKEN_EXPIRED, BANNED
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

/** The same, and counts nothing: of a request that does not say whom it serves, or that was counted before. */
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
