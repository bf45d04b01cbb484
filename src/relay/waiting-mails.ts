// Mails confirmation links that had to wait because their address had received AUTH_MAILS_PER_HOUR mails within the
// hour: one mail then lists every account that waits at the address. One relay at a time does this. A mail that another
// process sent meanwhile counts, and what waits then keeps waiting; an address that was confirmed meanwhile gets no
// mail.

import { confirmations } from "../accounts/confirmation.ts";
import { mailCount } from "../accounts/mails.ts";
import { auditRow } from "../command/audit-rows.ts";
import { type CommitWithoutReplyDeps, commitWithoutReply } from "../command/commit-without-reply.ts";
import type { MailMaker, Settings } from "../command/context.ts";
import { uuidv7 } from "../crypto/ids.ts";
import { changedPart } from "../db/faults.ts";
import { readOnly } from "../db/inbox.ts";
import { dueAddresses, mailingAlone, postponeMail, waitingAt } from "../db/waiting.ts";

export interface WaitingMailsDeps extends CommitWithoutReplyDeps {
  settings: MailMaker["settings"] & Pick<Settings, "mailsPerHour">;
}

const batch = 100;
const actor = "service:maintenance";

/** @returns how many mails it wrote */
export async function mailWhatWaits(parts: WaitingMailsDeps): Promise<number> {
  let written = 0;
  await mailingAlone(parts.pool, async () => {
    for (;;) {
      const addresses = await dueAddresses(parts.pool, batch);
      let done = 0;
      for (const address of addresses) if (await mailTo(parts, address)) done += 1;
      written += done;
      if (addresses.length < batch || done === 0) return; // the rest is tried in a minute
    }
  });
  return written;
}

/** @returns whether a mail was written */
async function mailTo(parts: WaitingMailsDeps, emailKey: string): Promise<boolean> {
  const { pool } = parts;
  const count = mailCount(parts, "confirm", emailKey);
  const { accounts = [], mailWaitMs = 0 } = (await readOnly(pool, waitingAt(emailKey, count))) ?? {};
  if (accounts.length === 0 || mailWaitMs > 0) {
    await postponeMail(pool, emailKey, accounts.length === 0 ? null : mailWaitMs);
    return false;
  }
  try {
    await commitWithoutReply(parts, confirmations(mailMaker(parts), accounts, { count, actor }));
  } catch (error) {
    if (changedPart(error) !== undefined) return false;
    throw error;
  }
  await postponeMail(pool, emailKey, null); // accounts beyond the longest list
  return true;
}

function mailMaker({ settings, clock, dataKeys }: WaitingMailsDeps): MailMaker {
  return {
    settings,
    uuid: () => uuidv7(clock),
    now: () => clock.now(),
    audited: (event, userId) => auditRow(event, { userId, outcome: "ok", dataKeys: dataKeys() }),
  };
}
