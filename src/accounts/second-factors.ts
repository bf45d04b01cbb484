// What every change of a user's factors does: it raises their generation, so that access tokens from before stop
// counting and challenges under way end, and it ends their other sessions if they want that (ASVS 5.0, 7.4.3). The
// session in which it was done goes on, and records which factor was shown in it. The user is told by mail, in the same
// commit. Whoever can change factors has a session, so the address is confirmed: no notice goes to a stranger.

import type { Change, Context, Message } from "../command/context.ts";
import { event } from "../command/events.ts";
import { codesPerUser, hashRecoveryCode, makeRecoveryCodes } from "../crypto/recovery-codes.ts";
import type { Contact } from "../db/contacts.ts";
import { replaceRecoveryCodes } from "../db/factors.ts";
import { addAmr, endSessionsOf } from "../db/sessions.ts";
import type { Write } from "../db/statements.ts";
import { raiseGeneration } from "../db/users.ts";
import { refuse } from "../protocol/errors.ts";
import type { FactorNotice } from "../protocol/mail-kinds.ts";
import type { Bearer } from "./bearer.ts";
import { type MailTo, mail } from "./mails.ts";

export interface FactorChange {
  change: Exclude<FactorNotice, "recovery-codes" | "mfa-reset">;
  owner: Contact;
  endOthers: boolean;
  writes: Write[];
}

export function factorChange(
  ctx: Context,
  { userId: id, generation, claims, client }: Bearer,
  { change, owner, endOthers, writes }: FactorChange,
): Change {
  const { sessionId } = claims;
  return {
    user: { id, subject: raiseGeneration(id, { generation, banned: false }), generation: generation + 1 },
    events: [event("MfaChanged", { change, sessionId })],
    writes: [...writes, ...(endOthers ? [endSessionsOf(id, "mfa-changed", sessionId)] : [])],
    messages: [notice(ctx, change, { id, ...owner, from: { session: client } })],
  };
}

/** A mail without a link: there is nothing to do in it, and whoever reads it learns no secret. */
export function notice(
  ctx: Context,
  kind: FactorNotice,
  { id, email, username, locale, from }: Contact & Pick<MailTo, "from"> & { id: number },
): Message {
  return mail(ctx, kind, { key: String(id), email, username, locale, ...(from && { from }) });
}

/** What the sealed secret of an authenticator app belongs to: it opens for no other user. */
export const totpAad = (userId: number): string => `totp ${userId}`;

const primary = ["pwd", "hwk", "swk"];

/**
 * A factor that was just shown in this session counts for it, as if it had been shown at its login - but beside a link
 * from a mail it is no second one.
 */
export function shownIn({ claims }: Bearer, method: string): Write {
  const second = claims.amr.some((each) => primary.includes(each));
  return addAmr(claims.sessionId, second ? [method, "mfa"] : [method]);
}

export function newRecoveryCodes(userId: number): { codes: string[]; write: Write } {
  const codes = makeRecoveryCodes();
  const hashes = codes.flatMap((code) => hashRecoveryCode(code) ?? []);
  if (hashes.length !== codesPerUser) throw new Error("a recovery code that was made is none");
  return { codes, write: replaceRecoveryCodes(userId, hashes) };
}

/** @throws Refusal MFA_REQUIRED where a role of the user requires a factor and this is the last one */
export function checkNotLast(roles: readonly string[]): void {
  if (roles.length === 0) return;
  throw refuse("MFA_REQUIRED", {
    message: "A role requires a second factor: set up another one before.",
    details: { action: "enroll", reason: "role", role: roles.join(" ") },
  });
}
