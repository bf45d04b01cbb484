// Accounts that nobody has confirmed in AUTH_UNCONFIRMED_TTL: deleted by the fleet itself, as an administrator would (handlers/accounts.ts): the
// event UserDeleted, the revocation and the deletion are one statement each. Any number of relays may do this at once: the row's lock lets one
// delete it, and who is confirmed meanwhile stays. While the platform's JSON topics are on, its check_verified comes long before.
import type { Clock } from "./clock.ts";
import type { DataKeys } from "./crypto/envelope.ts";
import { uuidv7 } from "./crypto/ids.ts";
import { commitOnce } from "./db/commit.ts";
import { changedPart } from "./db/faults.ts";
import type { DatabasePool } from "./db/pool.ts";
import { overdue, type Unconfirmed } from "./db/users.ts";
import { erase } from "./handlers/accounts.ts";
import { auditRows } from "./handlers/audit-rows.ts";
import { outboxRows } from "./handlers/outbox-rows.ts";

export interface UnconfirmedParts {
  pool: DatabasePool;
  clock: Clock;
  dataKeys(): DataKeys;
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
async function purge({ pool, clock, dataKeys }: UnconfirmedParts, user: Unconfirmed): Promise<boolean> {
  const change = erase(user, deed, { confirmed: false });
  const outbox = outboxRows(change, {
    call: { envelope: { traceparent: undefined } },
    now: clock.now(),
    uuid: () => uuidv7(clock),
    box: dataKeys().box("outbox"),
  });
  const audit = auditRows(outbox, { userId: user.id, outcome: "ok", dataKeys: dataKeys() });
  try {
    const { user: locked, writes = [] } = change;
    await commitOnce(pool, { inbox: undefined, subject: locked?.subject, writes, outbox, audit });
    return true;
  } catch (error) {
    if (changedPart(error) !== undefined) return false;
    throw error;
  }
}
