// Whom the text typed at a login means: a login, or the e-mail address of a confirmed account. Text with `@` is tried
// as a login first, because old logins may contain it; new ones may not. An unconfirmed account has no address and is
// found by its login only. Nothing reveals whether an address has an account: the same statements run either way, and
// attempts are counted by the text where no account is found.

import type { Context } from "../command/context.ts";
import { type AccountName, loginOf } from "../db/users.ts";
import { addressKey } from "../protocol/email-addresses.ts";
import { normalize } from "../protocol/record-key.ts";

export interface NamedAccount {
  /** What attempts are counted by: the login of the account, or the normalised text where no account is found. */
  countedBy: string;
  /** What the account is looked up by. */
  loginKey: string;
  /** The name in events where there is no account: empty for an address, which events never contain. */
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
