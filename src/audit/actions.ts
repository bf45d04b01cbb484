// What is audited without being an event: actions on keys, imports, and each imported user. Only the audit records
// them. Each row is written in the transaction of its action and encrypted like a commit's (crypto/audit.ts), so it
// exists exactly if the action happened.

import { stateOf } from "../command/audit-rows.ts";
import type { MasterKey } from "../config/kinds.ts";
import { encryptEntry, stateField } from "../crypto/audit.ts";
import { type DataKeys, loadDataKeys } from "../crypto/envelope.ts";
import { uuidv7 } from "../crypto/ids.ts";
import { addressState, banState, confirmedState, passwordState, rolesState } from "../db/account-state.ts";
import { insertEntry } from "../db/audit.ts";
import type { ImportedUser } from "../db/imports.ts";
import { dataKeyRows } from "../db/keys.ts";
import type { CommonQueryMethods } from "../db/pool.ts";
import type { Clock } from "../lib/clock.ts";

export type AuditedActionName =
  | "KeyMade"
  | "KeyActivated"
  | "KeyRemoved"
  | "KeyRevoked"
  | "RootKeyMade"
  | "RootKeyActivated"
  | "DataKeyMade"
  | "DataKeyRemoved"
  | "DataKeysRewrapped"
  | "PrivateKeysReencrypted"
  | "ImportStarted"
  | "ImportEnded";

export interface AuditedBy {
  clock: Clock;
  /** Default: the fleet's schedule. */
  actor?: string;
}

export interface AuditedAction {
  action: AuditedActionName;
  /** Not personal: stored in clear, for as long as the audit. */
  details: object;
}

export async function auditAction(
  transaction: CommonQueryMethods,
  dataKeys: DataKeys,
  { clock, actor = "system:keys", action, details }: AuditedBy & AuditedAction,
): Promise<void> {
  const nobody = { userId: null, personal: null, traceparent: null };
  const what = { event: action, actor, outcome: "ok", details: { ...details } };
  await insertEntry(
    transaction,
    encryptEntry(dataKeys, { ...nobody, ...what, eventId: uuidv7(clock), at: clock.now() }),
  );
}

/** Uses the data keys as they are in the transaction. */
export async function auditActions(
  transaction: CommonQueryMethods,
  { master, ...doer }: AuditedBy & { master: MasterKey[] },
  actions: readonly AuditedAction[],
): Promise<void> {
  if (actions.length === 0) return;
  const dataKeys = loadDataKeys(master, await dataKeyRows(transaction));
  for (const done of actions) await auditAction(transaction, dataKeys, { ...doer, ...done });
}

/**
 * The row of an imported user: audit verify --state compares the account with it until an event changes the account.
 */
export function importedEntry(
  dataKeys: DataKeys,
  { id, login, emailKey, hash, confirmed, banned, roles }: ImportedUser,
  { clock, actor }: { clock: Clock; actor: string },
): Buffer {
  const state = [
    passwordState(hash),
    confirmedState(confirmed),
    addressState(emailKey),
    rolesState(roles),
    banState(banned ? { until: null } : null),
  ];
  const { [stateField.digests]: digests, [stateField.aspects]: aspects } = stateOf(state, dataKeys)!;
  return encryptEntry(dataKeys, {
    eventId: uuidv7(clock),
    at: clock.now(),
    event: "UserImported",
    actor,
    userId: id,
    outcome: "ok",
    traceparent: null,
    details: { [stateField.aspects]: aspects },
    personal: { login, [stateField.digests]: digests },
  });
}
