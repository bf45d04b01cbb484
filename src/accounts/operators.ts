// Operators as the administrative commands see them: what is checked of one, and their rows, opened.

import { checkPermission } from "../command/admin/permissions.ts";
import type { Context } from "../command/context.ts";
import { UnknownDataKey } from "../crypto/envelope.ts";
import { everything, isOperatorName, type Operator, openOperator, publicKeyOf } from "../crypto/operators.ts";
import { operatorRow } from "../db/operators.ts";
import { invalid } from "../protocol/errors.ts";

/** A fleet has some; each is listed whole. */
export const mostOperators = 200;
/** While one key takes over from another there are two. */
export const mostKeys = 8;
const mostPermissions = 256;

export interface StoredOperator extends Operator {
  version: number;
}

/**
 * null where there is none; whoever put a row there without the fleet's keys has made no operator.
 * @throws UnknownDataKey
 */
export async function operatorNamed(ctx: Context<"operators">, name: string): Promise<StoredOperator | null> {
  const row = await ctx.read(operatorRow(name));
  const operator = row === null ? undefined : opened(ctx, name, row.box);
  return row === null || operator === undefined ? null : { ...operator, version: row.version };
}

/** undefined: not sealed by this fleet. @throws UnknownDataKey */
export function opened(ctx: Context<"operators">, name: string, box: Buffer): Operator | undefined {
  try {
    return openOperator(ctx.operators.box(), name, box);
  } catch (error) {
    if (error instanceof UnknownDataKey) throw error;
    return undefined;
  }
}

/** @throws Refusal INVALID_INPUT */
export function checkOperatorName(name: string): void {
  if (!isOperatorName(name)) throw invalid("name", "must be 1 to 64 letters, digits or . _ @ -");
}

/** In the order of the names, each once. @throws Refusal INVALID_INPUT */
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

/** @throws Refusal INVALID_INPUT, which repeats nothing of the key */
export async function operatorKey(text: string) {
  try {
    return await publicKeyOf(text);
  } catch (error) {
    throw invalid("publicKey", (error as Error).message);
  }
}
