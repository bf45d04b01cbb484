// Register: creates an account that its owner has to confirm (confirm.ts), with the link mailed to its address and
// either the secret returned here or the password. Until then it holds its login and no address: EMAIL_TAKEN means that
// a confirmed account has the address. Refuses INVALID_INPUT, THROTTLED (by network), WEAK_PASSWORD, LOGIN_TAKEN,
// EMAIL_TAKEN.
//
// With AUTH_HIDE_EMAIL a taken address looks like success, at the same cost, and its owner is told by mail. A decoy
// then keeps the login taken as an account would, with that password and no way to confirm it, so neither registering
// nor logging in later shows the difference. Decoys have no events, and maintenance deletes them.
//
// Unique keys decide races: the second commit is rolled back, runs again and finds the name taken. LOGIN_TAKEN and
// EMAIL_TAKEN are stored, so a repeated request gets the same answer. An address gets at most AUTH_MAILS_PER_HOUR such
// mails, links and notices together; a link beyond that is mailed later (relay/waiting-mails.ts).
import { randomBytes } from "node:crypto";
import { confirmation } from "../../accounts/confirmation.ts";
import { checkEmail, checkLocale, checkName, checkNewPassword } from "../../accounts/input.ts";
import { mail } from "../../accounts/mails.ts";
import type { Context, Message } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { hashSecret } from "../../crypto/opaque.ts";
import { countMail } from "../../db/address-mails.ts";
import { demandLoginFree } from "../../db/quarantined-logins.ts";
import { insertPassword, insertUser, vacancyFor } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";
import type { AccountRegisterRequest, Client } from "../../protocol/generated/schemas.ts";
import { normalize } from "../../protocol/record-key.ts";

export default defineHandler({
  topic: "auth.account.register",
  lane: "hash",
  storesAnswer: true,
  needs: ["quarantinedLogins", "mails", "passwords", "uses"],
  async handle(request, ctx) {
    const { login, username, email } = checked(request);
    const { password } = request;
    const locale = checkLocale(request.locale);
    const loginKey = normalize(login);
    const loginHash = ctx.quarantinedLogins.hash(loginKey);
    const emailKey = normalize(email);
    const count = ctx.mails.count("confirm", email);
    const using = { use: "register", client: request.client } as const;
    const { row: vacancy } = await ctx.uses.count(using, vacancyFor({ loginKey, loginHash, emailKey, count }));
    if (vacancy === null) throw new Error("a read without a table gave no row");
    await checkNewPassword(ctx.passwords, { field: "password", password, about: [login, username, email] });
    if (vacancy.loginTaken) return ctx.commitRefusal({ events: [] }, refuse("LOGIN_TAKEN"));
    if (vacancy.emailOwner !== null && !ctx.settings.hideEmail)
      return ctx.commitRefusal({ events: [] }, refuse("EMAIL_TAKEN"));
    const hash = await ctx.passwords.hash(password);
    const { id, emailOwner, mailWaitMs } = vacancy;
    const decoy = emailOwner !== null;
    const sends = mailWaitMs === 0;
    const registrationSecret = randomBytes(32).toString("base64url");
    const registrationHash = hashSecret(Buffer.from(registrationSecret));
    const link = confirmation(ctx, { id, login, username, email, locale }, { client: request.client });
    const address = decoy ? { email: "", emailKey: "" } : { email, emailKey, mailWaitMs };
    const made = { id, login, loginKey, username, locale, decoy, registrationHash, ...address };
    return ctx.commit(
      {
        user: { id, lock: insertUser(made) },
        events: [event("UserRegistered", { login })],
        publish: !decoy,
        ...(decoy && { actor: "anonymous" }), // there is no such user
        writes: [insertPassword(id, hash), link.write, countMail(count, sends), demandLoginFree(loginHash)],
        messages: [{ ...(decoy ? tellOwner(ctx, emailOwner, request.client) : link.message), publish: sends }],
      },
      { userId: ctx.settings.hideEmail ? null : id, confirmationSent: true, registrationSecret },
    );
  },
});

/** Replaces the link. While legacy topics are on, the link goes to another topic; this message costs the same. */
function tellOwner(
  ctx: Context,
  { email, locale }: { email: string; locale: string | null },
  client: Client | null,
): Message {
  return mail(ctx, "email-taken", { key: normalize(email), email, locale, from: { request: client } });
}

/** In the form that is stored. */
function checked({ login, username, email }: AccountRegisterRequest) {
  return { login: checkName("login", login), username: checkName("username", username), email: checkEmail(email) };
}
