// Creates a confirmed account directly in the database, for authctl: there may be no fleet yet. It is one commit, with
// the events of registering, confirming and giving roles. It checks only that login and e-mail address are free.

import { type CommitWithoutReplyDeps, commitWithoutReply } from "../command/commit-without-reply.ts";
import type { Change } from "../command/context.ts";
import { event } from "../command/events.ts";
import { loginHash } from "../command/keyed-hash.ts";
import { takenConstraint } from "../db/faults.ts";
import { readOnly } from "../db/inbox.ts";
import { replaceRoles } from "../db/roles.ts";
import { insertPassword, insertUser, vacancyFor } from "../db/users.ts";
import { type RefusalCode, refuse } from "../protocol/errors.ts";
import { normalize } from "../protocol/record-key.ts";
import { profileMessage } from "./confirmation.ts";

export interface NewAccount {
  login: string;
  username: string;
  email: string;
  /** The password's hash, a PHC string. */
  hash: string;
  roles: string[];
  /** The actor of the events. */
  actor: string;
  reason: string;
  /** Whether to tell the platform, on its JSON topic. */
  tellPlatform: boolean;
}

/** @returns the user's id. @throws Refusal LOGIN_TAKEN, EMAIL_TAKEN */
export async function createConfirmedAccount(parts: CommitWithoutReplyDeps, account: NewAccount): Promise<number> {
  const [loginKey, emailKey] = [normalize(account.login), normalize(account.email)];
  const hash = loginHash(parts.dataKeys(), loginKey);
  const vacancy = await readOnly(parts.pool, vacancyFor({ loginKey, loginHash: hash, emailKey }));
  if (vacancy === null) throw new Error("a read without a table gave no row");
  if (vacancy.loginTaken) throw refuse("LOGIN_TAKEN");
  if (vacancy.emailOwner !== null) throw refuse("EMAIL_TAKEN");
  const { id } = vacancy;
  try {
    await commitWithoutReply(parts, accountChange(id, account, { loginKey, emailKey }));
  } catch (error) {
    const taken = lostTo[takenConstraint(error) ?? ""];
    throw taken === undefined ? error : refuse(taken);
  }
  return id;
}

const lostTo: Record<string, RefusalCode> = { users_login_unique: "LOGIN_TAKEN", users_email_unique: "EMAIL_TAKEN" };

function accountChange(id: number, account: NewAccount, keys: { loginKey: string; emailKey: string }): Change {
  const { login, username, email, hash, roles, actor, reason } = account;
  return {
    // Giving roles normally outdates earlier access tokens. There are none, so the generation stays the first.
    user: { id, lock: insertUser({ id, login, username, email, ...keys, confirmed: true }), generation: 0 },
    events: [
      event("UserRegistered", { login }),
      event("UserConfirmed", { login, proof: "none" }),
      event("RolesChanged", { roles, reason }),
    ],
    writes: [insertPassword(id, hash), ...replaceRoles(id, roles)],
    messages: account.tellPlatform ? [profileMessage(id, username)] : [],
    actor,
  };
}
