// Finish-login: opens the session for a passkey that answers the challenge of begin-login or auth.session.login.
// Without a password it must have verified its user; after a password, possession is enough. Refuses INVALID_INPUT,
// TOKEN_INVALID, TOKEN_EXPIRED, MFA_INVALID (also for an unknown passkey, and for one whose counter went back), and
// after a valid signature BANNED.

import { answered, answeredWrongly, checkChallenge, presentedChallenge } from "../../accounts/challenges.ts";
import { minPasskeyLoginMs } from "../../accounts/passkeys.ts";
import { openSession, type SessionTokens } from "../../accounts/sessions.ts";
import type { Context } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import type { OpaqueToken } from "../../crypto/opaque.ts";
import { type Assertion, dummyPublicKey, judgeAssertion, parseCredential, userHandle } from "../../crypto/passkeys.ts";
import { type ChallengeForAssertion, challengeForAssertion, type PasskeyOwner } from "../../db/challenges.ts";
import { usePasskey } from "../../db/passkeys.ts";
import { lockUser } from "../../db/users.ts";
import { invalid, refuse } from "../../protocol/errors.ts";
import { normalize } from "../../protocol/record-key.ts";

export default defineHandler({
  topic: "auth.passkey.finish-login",
  minResponseMs: minPasskeyLoginMs,
  lane: "db",
  storesAnswer: true,
  needs: ["passkeys", "sessions"],
  async handle({ challenge, response }, ctx) {
    const presented = presentedChallenge(challenge);
    const credential = parseCredential(response);
    if (credential === undefined) throw invalid("response", "must be the JSON of a credential");
    const found = checkChallenge(await ctx.read(challengeForAssertion(presented.id, credential.id)), presented);
    const owner = ownerOf(found);
    const judged = await judgeAssertion(credential, {
      party: ctx.settings.party,
      secret: presented.secret,
      credentialId: credential.id,
      publicKey: owner?.publicKey ?? dummyPublicKey,
      signCount: owner?.signCount ?? 0,
      handle: userHandle(ctx.passkeys.handleKey(), owner?.id ?? 0),
      verified: found.purpose === "passkey-login",
    });
    if (owner === null) return refused(ctx, { found, presented, owner, reason: "wrong" });
    if (typeof judged === "string") return refused(ctx, { found, presented, owner, reason: judged });
    if (owner.banned) return banned(ctx, { found, presented, owner });
    return open(ctx, { found, presented, owner, judged });
  },
});

/** The passkey's owner, if the challenge is for them. */
function ownerOf({ passkey, challengeUser, discoverable }: ChallengeForAssertion): PasskeyOwner | null {
  if (passkey === null) return null;
  return discoverable || passkey.id === challengeUser ? passkey : null;
}

interface Answer {
  found: ChallengeForAssertion;
  presented: OpaqueToken;
  owner: PasskeyOwner | null;
}

async function open(
  ctx: Context<"sessions">,
  { found, presented, owner, judged }: Answer & { owner: PasskeyOwner; judged: Exclude<Assertion, string> },
): Promise<SessionTokens> {
  const { id, login, generation, passkeyId, signCount, synced } = owner;
  const { rotating, client, amr } = found;
  const method = found.purpose === "login-mfa" ? "password+passkey" : "passkey";
  const shown = [...amr, synced ? "swk" : "hwk", ...(judged.userVerified ? ["user"] : []), "mfa"];
  const session = await openSession(ctx, owner, { rotating, client, amr: shown, deviceKey: owner.deviceKey });
  const { sessionId } = session.tokens;
  return ctx.commit(
    {
      user: { id, lock: lockUser(id, { generation, banned: false }) },
      events: [event("LoggedIn", { login, sessionId, method, client })],
      writes: [
        session.write,
        answered(presented.id),
        usePasskey(passkeyId, { before: signCount, after: judged.signCount }),
        ...ctx.sessions.rememberDevice(owner, client),
      ],
    },
    session.tokens,
  );
}

function banned(ctx: Context, { found, presented, owner }: Answer & { owner: PasskeyOwner }): Promise<never> {
  const refusal = refuse("BANNED");
  const { id, login } = owner;
  const events = [event("LoginRefused", { login: normalize(login), code: refusal.code, client: found.client })];
  const user = { id, lock: lockUser(id, {}) };
  return ctx.commitRefusal({ user, events, writes: [answered(presented.id)], actor: "anonymous" }, refusal);
}

/** Counted in the same way whether the user exists or not. */
function refused(
  ctx: Context,
  { found, presented, owner, reason }: Answer & { reason: "wrong" | "counter" },
): Promise<never> {
  const events = [event("MfaRefused", { method: "passkey", reason, client: found.client })];
  const writes = [answeredWrongly(presented.id)];
  const refusal = refuse("MFA_INVALID");
  if (owner === null) return ctx.commitRefusal({ key: presented.id, events, writes }, refusal);
  const user = { id: owner.id, lock: lockUser(owner.id, {}) };
  return ctx.commitRefusal({ user, events, writes, actor: "anonymous" }, refusal);
}
