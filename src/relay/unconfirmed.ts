// Deletes accounts that were not confirmed within AUTH_UNCONFIRMED_TTL, and those that can never be confirmed because
// another account confirmed their address. The fleet deletes them as an administrator would (accounts/users.ts): event,
// revocation and deletion in one statement each. Any number of relays may do this at once: the row's lock admits one,
// and an account that is confirmed meanwhile stays. With the platform's JSON topics on, check_verified deletes them
// long before.

import { eraseUnconfirmed } from "../accounts/users.ts";
import { type CommitWithoutReplyDeps, commitWithoutReply } from "../command/commit-without-reply.ts";
import { changedPart } from "../db/faults.ts";
import { overdue, type Unconfirmed, withTakenAddress } from "../db/users.ts";

export interface UnconfirmedDeps extends CommitWithoutReplyDeps {
  ttlMs: number;
}

const batch = 100;
const actor = "service:maintenance";

/** @returns how many it deleted */
export async function purgeUnconfirmed(parts: UnconfirmedDeps): Promise<number> {
  const { pool, ttlMs } = parts;
  const late = () => overdue(pool, { ttlMs, limit: batch });
  const beaten = () => withTakenAddress(pool, batch);
  return (
    (await purgeAll(parts, late, "not confirmed in time")) +
    (await purgeAll(parts, beaten, "another account has its e-mail address"))
  );
}

async function purgeAll(
  parts: UnconfirmedDeps,
  find: () => Promise<readonly Unconfirmed[]>,
  reason: string,
): Promise<number> {
  let deleted = 0;
  for (;;) {
    const found = await find();
    let done = 0;
    for (const user of found) if (await purge(parts, user, reason)) done += 1;
    deleted += done;
    if (found.length < batch || done === 0) return deleted; // other relays are handling the rest of a full batch
  }
}

/** @returns false where the account was confirmed or deleted meanwhile */
async function purge(parts: UnconfirmedDeps, user: Unconfirmed, reason: string): Promise<boolean> {
  try {
    await commitWithoutReply(parts, eraseUnconfirmed(user, { reason, actor }));
    return true;
  } catch (error) {
    if (changedPart(error) !== undefined) return false;
    throw error;
  }
}
