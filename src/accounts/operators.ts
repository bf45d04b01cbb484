// Operators for the administrative commands: checks their names, permissions and keys, and decrypts their rows.

import { checkPermission } from "../command/admin/permissions.ts";
import type { Context } from "../command/context.ts";
import { UnknownDataKey } from "../crypto/envelope.ts";
import { decryptOperator, everything, isOperatorName, type Operator, publicKeyOf } from "../crypto/operators.ts";
import { operatorRow } from "../db/operators.ts";
import { invalid } from "../protocol/errors.ts";

/** Fleets have few; list-operators returns all at once. */
export const mostOperators = 200;
/** Two are needed while one key replaces another. */
export const mostKeys = 8;
const mostPermissions = 256;

export interface StoredOperator extends Operator {
  version: number;
}

/**
 * null where there is none, also for a row that was not written with the fleet's keys.
 * @throws UnknownDataKey
 */
export async function operatorNamed(ctx: Context<"operators">, name: string): Promise<StoredOperator | null> {
  const row = await ctx.read(operatorRow(name));
  const operator = row === null ? undefined : opened(ctx, name, row.encrypted);
  return row === null || operator === undefined ? null : { ...operator, version: row.version };
}

/** undefined: not encrypted by this fleet. @throws UnknownDataKey */
export function opened(ctx: Context<"operators">, name: string, encrypted: Buffer): Operator | undefined {
  try {
    return decryptOperator(ctx.operators.cipher(), name, encrypted);
  } catch (error) {
    if (error instanceof UnknownDataKey) throw error;
    return undefined;
  }
}

/** @throws Refusal INVALID_INPUT */
export function checkOperatorName(name: string): void {
  if (!isOperatorName(name)) throw invalid("name", "must be 1 to 64 letters, digits or . _ @ -");
}

/** Sorted by name, without duplicates. @throws Refusal INVALID_INPUT */
export function operatorPermissions(asked: readonly string[]): string[] {
  const permissions = [...new Set(asked)].sort();
  if (permissions.length > mostPermissions) throw invalid("permissions", `must be at most ${mostPermissions}`);
  if (permissions.includes(everything)) {
    if (permissions.length > 1) throw invalid("permissions", `${everything} stands alone, because it is everything`);
    return permissions;
  }
  for (const each of permissions) checkPermission("permissions", each);
  return permissions;
}

/** @throws Refusal INVALID_INPUT, without repeating any of the key */
export async function operatorKey(text: string) {
  try {
    return await publicKeyOf(text);
  } catch (error) {
    throw invalid("publicKey", (error as Error).message);
  }
}
