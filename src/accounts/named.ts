// Who is meant by what somebody types to log in: a login, or the e-mail address of a confirmed account. What contains
// `@` is tried as a login first, because old ones may have it; a new one may not. An account that is not confirmed has
// no address, so it is found by its login alone. Nothing tells whether an address has an account: the same statements
// run either way, and attempts count by the text where nobody is found.

import type { Context } from "../command/context.ts";
import { type AccountName, loginOf } from "../db/users.ts";
import { addressKey } from "../protocol/email-addresses.ts";
import { normalize } from "../protocol/record-key.ts";

export interface NamedAccount {
  /**
   * The login of the account that was found; else the text, in one form for all its spellings. Attempts count by it.
   */
  countedBy: string;
  /** What the account is looked up by. */
  loginKey: string;
  /** For events where there is no such account: empty for an address, which stands in none. */
  said: string;
  found: AccountName | null;
}

export async function namedBy(ctx: Context, text: string): Promise<NamedAccount> {
  const loginKey = normalize(text);
  if (!text.includes("@")) return { countedBy: text, loginKey, said: loginKey, found: null };
  const emailKey = addressKey(text);
  const found = await ctx.read(loginOf(loginKey, emailKey));
  if (found === null) return { countedBy: emailKey, loginKey, said: "", found };
  return { countedBy: found.loginKey, loginKey: found.loginKey, said: found.loginKey, found };
}
