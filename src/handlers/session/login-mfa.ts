// Login-mfa: answers a login's challenge with a code of the authenticator app or a recovery code, and opens the
// session. A code works once. Wrong app codes are also counted per user and soon cause a wait (0007_mfa.sql); otherwise
// whoever knows the password could ask for one challenge after the other. Recovery codes cannot be guessed, so they
// work during a wait. Refuses INVALID_INPUT, TOKEN_INVALID (unknown, answered, five wrong answers, account changed),
// TOKEN_EXPIRED, MFA_INVALID, THROTTLED.

import { answered, answeredWrongly, checkChallenge, presentedChallenge } from "../../accounts/challenges.ts";
import { totpAad } from "../../accounts/second-factors.ts";
import { openSession } from "../../accounts/sessions.ts";
import type { Context } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { hashRecoveryCode } from "../../crypto/recovery-codes.ts";
import { judgeTotp } from "../../crypto/totp.ts";
import { type ChallengeForCode, challengeForCode } from "../../db/challenges.ts";
import { countTotpFailure, useRecoveryCode, useTotpStep } from "../../db/factors.ts";
import type { Write } from "../../db/statements.ts";
import { lockUser } from "../../db/users.ts";
import { invalid, refuse } from "../../protocol/errors.ts";

const longestCode = 64;
type Method = "totp" | "recovery";

export default defineHandler({
  topic: "auth.session.login-mfa",
  lane: "db",
  storesAnswer: true,
  needs: ["mfa", "sessions", "uses"],
  async handle({ challenge, method, code }, ctx) {
    const presented = presentedChallenge(challenge);
    checkMethod(method);
    if (code === "" || code.length > longestCode) throw invalid("code", `must have 1 to ${longestCode} characters`);
    const recoveryHash = method === "recovery" ? hashRecoveryCode(code) : undefined;
    const found = checkChallenge(await ctx.read(challengeForCode(presented.id, recoveryHash)), presented);
    if (found.banned) throw refuse("TOKEN_INVALID");
    const { id, login, generation, rotating, client, amr } = found;
    const { refund } = await ctx.uses.countAlone({ use: "code", client });
    const judged = method === "totp" ? checkAppCode(ctx, found, code) : checkRecoveryCode(found, recoveryHash);
    const user = { id, lock: lockUser(id, { generation, banned: false }) };
    if ("reason" in judged) {
      const events = [event("MfaRefused", { method, reason: judged.reason, client })];
      const writes = [answeredWrongly(presented.id), ...judged.writes];
      return ctx.commitRefusal({ user, events, writes, actor: "anonymous" }, refuse("MFA_INVALID"));
    }
    const { deviceKey } = found;
    const session = await openSession(ctx, found, { rotating, client, amr: [...amr, "otp", "mfa"], deviceKey });
    const { sessionId } = session.tokens;
    return ctx.commit(
      {
        user,
        events: [event("LoggedIn", { login, sessionId, method: `password+${method}`, client })],
        writes: [
          session.write,
          answered(presented.id),
          judged.write,
          refund,
          ...ctx.sessions.rememberDevice(found, client),
        ],
      },
      session.tokens,
    );
  },
});

function checkMethod(method: string): asserts method is Method {
  if (method !== "totp" && method !== "recovery") throw invalid("method", "must be totp or recovery");
}

type CodeCheck = { write: Write } | { reason: "wrong" | "replayed" | "absent"; writes: Write[] };

/** @throws Refusal THROTTLED: the code is not checked */
function checkAppCode(ctx: Context<"mfa">, found: ChallengeForCode, code: string): CodeCheck {
  const { id, totpSecret, totpStep, totpWaitMs } = found;
  if (totpSecret === null) return { reason: "absent", writes: [] };
  if (totpWaitMs > 0)
    throw refuse("THROTTLED", {
      message: "Too many wrong codes: wait, or use another factor.",
      retryAfterMs: totpWaitMs,
    });
  const secret = ctx.mfa.cipher().decrypt(totpSecret, totpAad(id));
  const judgement = judgeTotp(secret, code, { now: ctx.now(), lastStep: totpStep ?? 0 });
  if (typeof judgement === "object") return { write: useTotpStep(id, judgement.step) };
  return { reason: judgement, writes: [countTotpFailure(id)] };
}

function checkRecoveryCode({ id, recoveryCode }: ChallengeForCode, hash: Buffer | undefined): CodeCheck {
  return recoveryCode && hash !== undefined ? { write: useRecoveryCode(id, hash) } : { reason: "wrong", writes: [] };
}
