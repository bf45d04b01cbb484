// Confirm: exchanges the token of a confirmation link, once, for a confirmed account and its first session. The link
// proves only that its holder reads the address's mail. If that were enough, an account that somebody registered with
// another person's address would become theirs as soon as that person clicks. So the request must also prove that it
// comes from whoever registered: with the secret that registering returned, or with the password, which counts as an
// attempt as in a login. Only requesters in AUTH_CONFIRM_WITHOUT_PROOF may give neither. Refuses INVALID_INPUT
// (neither, or both), what requireLink refuses, INVALID_CREDENTIALS (the link stays valid), THROTTLED and OVERLOADED
// with a password, and after a valid proof BANNED.

import { profileMessage } from "../../accounts/confirmation.ts";
import { checkTyped } from "../../accounts/input.ts";
import { type Link, requireLink, requireUncountedLink } from "../../accounts/links.ts";
import { openSession } from "../../accounts/sessions.ts";
import type { Attempt } from "../../command/attempts.ts";
import type { Context, Proof } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { hashSecret, isSecretOf } from "../../crypto/opaque.ts";
import type { Write } from "../../db/statements.ts";
import { confirmUser, lockUser, passwordOf } from "../../db/users.ts";
import { invalid, type Refusal, refuse } from "../../protocol/errors.ts";
import type { AccountConfirmRequest, AccountConfirmResult } from "../../protocol/generated/schemas.ts";

export default defineHandler({
  topic: "auth.account.confirm",
  lane: "db",
  laneOf: ({ password }) => (password === "" ? "db" : "hash"),
  storesAnswer: true,
  needs: ["attempts", "metrics", "passwords", "sessions", "uses"],
  attempt: async (request, ctx) =>
    request.password === "" ? undefined : attemptOf(request, await requireUncountedLink(ctx, request.token, "confirm")),
  async handle(request, ctx) {
    const proof = proofOf(request, ctx);
    const link = await requireLink(ctx, request.token, "confirm", request.client);
    const shown = await checkProof(request, ctx, { link, proof });
    if (link.banned) return refused(request, ctx, { link, refusal: refuse("BANNED"), writes: shown.refund });
    return commit(request, ctx, { link, proof, ...shown });
  },
});

/** @throws Refusal INVALID_INPUT */
function proofOf({ registrationSecret, password }: AccountConfirmRequest, { settings, call }: Context): Proof {
  if (registrationSecret !== "" && password !== "")
    throw invalid("password", "must be empty where the registration secret is given");
  if (registrationSecret !== "") return "secret";
  if (password !== "") return "password";
  if (settings.confirmWithoutProof.includes(call.headers.reply.topic)) return "none";
  throw invalid("registrationSecret", "must be given, or the password instead");
}

/** The writes that a valid proof entails. */
interface ProofResult {
  amr: string[];
  /** For the commit, whatever its outcome: link and proof were right. */
  refund: Write[];
  /** For the commit that opens the session. */
  remember: Write[];
}

/** @throws Refusal INVALID_CREDENTIALS, THROTTLED */
async function checkProof(
  request: AccountConfirmRequest,
  ctx: Context<"attempts" | "passwords">,
  { link, proof }: { link: Link; proof: Proof },
): Promise<ProofResult> {
  const { userId: id, registrationHash } = link;
  if (proof === "password") {
    checkTyped("password", request.password);
    const attempt = await ctx.attempts.reserve(attemptOf(request, link), passwordOf(id));
    const { ok } = await ctx.passwords.verify(request.password, attempt.row?.hash);
    if (!ok) return refused(request, ctx, { link, refusal: refuse("INVALID_CREDENTIALS"), writes: link.refund });
    return { amr: ["pwd", "otp"], refund: [attempt.refund, ...link.refund], remember: attempt.remember(id) };
  }
  if (proof === "secret" && !isSecretOf(registrationHash ?? noHash, Buffer.from(request.registrationSecret)))
    return refused(request, ctx, { link, refusal: refuse("INVALID_CREDENTIALS") });
  return { amr: ["otp"], refund: link.refund, remember: [] };
}

/** Matches no secret: an imported account has no registration secret. */
const noHash = hashSecret(Buffer.alloc(0));

const attemptOf = ({ client }: AccountConfirmRequest, { login }: Link): Attempt => ({
  factor: "password",
  login,
  from: { client },
});

function refused(
  { client }: AccountConfirmRequest,
  ctx: Context,
  { link, refusal, writes = [] }: { link: Link; refusal: Refusal; writes?: Write[] },
): Promise<never> {
  const { userId: id, login } = link;
  const events = [event("LoginRefused", { login, code: refusal.code, client })];
  return ctx.commitRefusal({ user: { id, lock: lockUser(id, {}) }, events, writes, actor: "anonymous" }, refusal);
}

async function commit(
  { rotating, client }: AccountConfirmRequest,
  ctx: Context<"sessions" | "metrics">,
  { link, proof, amr, refund, remember }: { link: Link; proof: Proof } & ProofResult,
): Promise<AccountConfirmResult> {
  const { userId: id, login, username } = link;
  const session = await openSession(ctx, { ...link, id }, { rotating, client, amr });
  const { sessionId } = session.tokens;
  const tokens = await ctx.commit(
    {
      user: { id, lock: confirmUser(id, link.generation) },
      events: [
        event("UserConfirmed", { login, proof }),
        event("LoggedIn", { login, sessionId, method: "confirmation", client }),
      ],
      writes: [link.use, session.write, ...refund, ...remember],
      messages: ctx.settings.legacyTopics ? [profileMessage(id, username)] : [],
    },
    session.tokens,
  );
  ctx.metrics.countConfirmed(proof);
  return tokens;
}
