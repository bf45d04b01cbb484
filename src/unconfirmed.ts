// Accounts that nobody has confirmed in AUTH_UNCONFIRMED_TTL: deleted by the fleet itself, as an administrator would (handlers/accounts.ts): the
// event UserDeleted, the revocation and the deletion are one statement each. Any number of relays may do this at once: the row's lock lets one
// delete it, and who is confirmed meanwhile stays. While the platform's JSON topics are on, its check_verified comes long before.
import { changedPart } from "./db/faults.ts";
import { overdue, type Unconfirmed } from "./db/users.ts";
import { erase } from "./handlers/accounts.ts";
import { type AloneParts, commitAlone } from "./handlers/commit-alone.ts";

export interface UnconfirmedParts extends AloneParts {
  ttlMs: number;
}

const batch = 100;
const deed = { reason: "not confirmed in time", actor: "service:maintenance" };

/** @returns how many it deleted */
export async function purgeUnconfirmed(parts: UnconfirmedParts): Promise<number> {
  let deleted = 0;
  for (;;) {
    const found = await overdue(parts.pool, { ttlMs: parts.ttlMs, limit: batch });
    let done = 0;
    for (const user of found) if (await purge(parts, user)) done += 1;
    deleted += done;
    if (found.length < batch || done === 0) return deleted; // what is left of a full batch belongs to others now
  }
}

/** @returns false where he was confirmed or deleted meanwhile */
async function purge(parts: UnconfirmedParts, user: Unconfirmed): Promise<boolean> {
  try {
    await commitAlone(parts, erase(user, deed, { confirmed: false }));
    return true;
  } catch (error) {
    if (changedPart(error) !== undefined) return false;
    throw error;
  }
}
