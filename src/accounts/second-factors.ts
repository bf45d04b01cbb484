// What every change of a user's factors does: it raises the user's generation, which outdates access tokens and pending
// challenges, and ends the other sessions if the user wants that (ASVS 5.0, 7.4.3). The current session stays open and
// records which factor it has shown. The same commit mails a notice to the user, whose address is always confirmed:
// changing factors takes a session.

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
    user: { id, lock: raiseGeneration(id, { generation, banned: false }), generation: generation + 1 },
    events: [event("MfaChanged", { change, sessionId })],
    writes: [...writes, ...(endOthers ? [endSessionsOf(id, "mfa-changed", sessionId)] : [])],
    messages: [notice(ctx, change, { id, ...owner, from: { session: client } })],
  };
}

/** A mail without a link: it calls for no action, and reading it reveals no secret. */
export function notice(
  ctx: Context,
  kind: FactorNotice,
  { id, email, username, locale, from }: Contact & Pick<MailTo, "from"> & { id: number },
): Message {
  return mail(ctx, kind, { key: String(id), email, username, locale, ...(from && { from }) });
}

/** Additional data of an authenticator app's encrypted secret: it can be decrypted for this user only. */
export const totpAad = (userId: number): string => `totp ${userId}`;

const primary = ["pwd", "hwk", "swk"];

/**
 * Records a factor just shown in this session as if its login had shown it. A session opened by a mailed link does not
 * gain a second factor from it.
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

/** @throws Refusal MFA_REQUIRED where this is the last factor and a role of the user requires one */
export function checkNotLast(roles: readonly string[]): void {
  if (roles.length === 0) return;
  throw refuse("MFA_REQUIRED", {
    message: "A role requires a second factor: set up another one before.",
    details: { action: "enroll", reason: "role", role: roles.join(" ") },
  });
}
