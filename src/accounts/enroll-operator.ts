// Enrols an operator directly in the database, with the master key: the first operator, before anybody can act through
// Kafka (authctl operators add --first), and operator:dev of `npm start`. All others are enrolled by
// auth.admin.add-operator.

import { type CommitWithoutReplyDeps, commitWithoutReply } from "../command/commit-without-reply.ts";
import { event } from "../command/events.ts";
import { decryptOperator, encryptOperator, everything, type Operator, type OperatorKey } from "../crypto/operators.ts";
import { changedPart, takenConstraint } from "../db/faults.ts";
import { readOnly } from "../db/inbox.ts";
import { changeOperator, insertFirstOperator, insertOperator, operatorRow } from "../db/operators.ts";
import { refuse } from "../protocol/errors.ts";

/** The actor in events and the audit: whoever has the master key and the database. */
const actor = "system:master-key";

export interface Enrollment {
  name: string;
  key: Omit<OperatorKey, "addedAt">;
  reason: string;
  /** Refuse where there is any operator. Otherwise the key is added to an existing operator's keys. */
  first: boolean;
}

/**
 * Enrols an operator who may do everything.
 * @returns false where the operator has the key already
 * @throws Refusal FORBIDDEN where `first` is set and there are operators
 */
export async function enrollOperator(
  parts: CommitWithoutReplyDeps,
  { name, key, reason, first }: Enrollment,
): Promise<boolean> {
  const cipher = parts.dataKeys().cipher("operator");
  const row = await readOnly(parts.pool, operatorRow(name));
  const before = row === null ? undefined : decryptOperator(cipher, name, row.encrypted);
  if (before?.keys.some(({ kid }) => kid === key.kid)) return false;
  if (first && row !== null) throw notTheFirst();
  const permissions = [everything];
  const keys = [...(before?.keys ?? []), { ...key, addedAt: parts.clock.now() }];
  const encrypted = encryptOperator(cipher, { name, permissions, keys } satisfies Operator);
  const insert = first ? insertFirstOperator : insertOperator;
  const writes = [row === null ? insert(name, encrypted) : changeOperator(row, encrypted)];
  const events = [event("OperatorAdded", { operator: name, kid: key.kid, permissions, reason })];
  try {
    await commitWithoutReply(parts, { key: `operator:${name}`, events, writes, actor });
  } catch (error) {
    if (first && (changedPart(error) ?? takenConstraint(error)) !== undefined) throw notTheFirst();
    throw error;
  }
  return true;
}

function notTheFirst() {
  const message =
    "There are operators already: one of them adds others, or an administrator who may (operators.manage), by authctl operators add without --first.";
  return refuse("FORBIDDEN", { message, details: { reason: "not-the-first" } });
}
