// Begin-login: returns the options for navigator.credentials.get and the challenge to send back with its result.
// There are three uses:
//   login                the login's passkeys, instead of a password; the device must verify its user (PIN, finger),
//                        so this is two factors
//   login and challenge  the second factor that auth.session.login asked for: the same challenge, answered by
//                        finish-login
//   neither              any passkey that the device has (discoverable credentials)
// The e-mail address of a confirmed account works as the login (accounts/named.ts). A login that is unknown or has no
// passkey gets made-up credential ids, always the same, and a challenge row like any other. Refuses INVALID_INPUT,
// THROTTLED, and for a challenge TOKEN_INVALID and TOKEN_EXPIRED.

import { checkChallenge, newChallenge, presentedChallenge } from "../../accounts/challenges.ts";
import { checkLoginLength } from "../../accounts/input.ts";
import { namedBy } from "../../accounts/named.ts";
import { minPasskeyLoginMs } from "../../accounts/passkeys.ts";
import type { Context } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { decoyCredentials, loginOptions } from "../../crypto/passkeys.ts";
import { challengeWithPasskeys } from "../../db/challenges.ts";
import { credentialsOfLogin } from "../../db/passkeys.ts";
import { addressKey } from "../../protocol/email-addresses.ts";
import { refuse } from "../../protocol/errors.ts";
import type { PasskeyBeginLoginRequest, PasskeyBeginLoginResult } from "../../protocol/generated/schemas.ts";
import { normalize } from "../../protocol/record-key.ts";

export default defineHandler({
  topic: "auth.passkey.begin-login",
  minResponseMs: minPasskeyLoginMs, // finding rows or not differs by 0.1 ms
  lane: "db",
  storesAnswer: true,
  needs: ["passkeys", "uses"],
  async handle(request, ctx) {
    if (request.challenge !== "") return secondFactor(request, ctx);
    if (request.login !== "") checkLoginLength(request.login);
    return instead(request, ctx);
  },
});

async function instead(
  { login, rotating, client }: PasskeyBeginLoginRequest,
  ctx: Context<"passkeys" | "uses">,
): Promise<PasskeyBeginLoginResult> {
  const discoverable = login === "";
  const named = await namedBy(ctx, login);
  const { row: known } = await ctx.uses.count({ use: "passkey", client }, credentialsOfLogin(named.loginKey));
  const has = known !== null && known.credentials.length > 0;
  const challenge = newChallenge(ctx, {
    purpose: "passkey-login",
    userId: has ? known.userId : null,
    discoverable,
    rotating,
    client,
    byAddress: has && named.loginKey !== normalize(login),
  });
  const typed = named.found === null ? normalize(named.countedBy) : addressKey(login);
  const decoys = decoyCredentials(ctx.passkeys.handleKey(), typed); // from the typed text: it must not reveal whose address it is
  const { party, challengeTtlMs: timeoutMs } = ctx.settings;
  const allowed = discoverable ? undefined : has ? known.credentials : decoys;
  const options = await loginOptions({ party, secret: challenge.secret, timeoutMs, allowed, verification: "required" });
  return ctx.commit({ events: [], writes: [challenge.write] }, { options, challenge: challenge.token });
}

async function secondFactor(
  { login, challenge, client }: PasskeyBeginLoginRequest,
  ctx: Context<"uses">,
): Promise<PasskeyBeginLoginResult> {
  const presented = presentedChallenge(challenge);
  const { row } = await ctx.uses.count({ use: "passkey", client }, challengeWithPasskeys(presented.id));
  const found = checkChallenge(row, presented);
  const { loginKey, emailKey, credentials: allowed } = found;
  if (loginKey !== normalize(login) && emailKey !== addressKey(login)) throw refuse("TOKEN_INVALID");
  const { party, challengeTtlMs: timeoutMs } = ctx.settings;
  const { secret } = presented;
  const options = await loginOptions({ party, secret, timeoutMs, allowed, verification: "discouraged" });
  return { options, challenge };
}
