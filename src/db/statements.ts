// The two kinds of statement a handler works with, without running them: a Read gives at most one row, a Write changes something
// inside a commit. Handlers combine them; commit.ts and inbox.ts turn them into SQL. Fragments are slonik's.
import type { FragmentSqlToken } from "slonik";
import type { ZodType, ZodTypeDef } from "zod";

export type Fragment = FragmentSqlToken;

/** A question with at most one row as its answer. */
export interface Read<T> {
  select: Fragment;
  row: ZodType<T, ZodTypeDef, unknown>;
}

/**
 * A change inside a commit: a data-modifying statement with RETURNING that touches rows only where `gate` holds.
 * `changes` rows must be touched, or the commit takes itself back and the handler starts anew; absent: any number.
 */
export interface Write {
  name: string;
  statement(gate: Fragment): Fragment;
  changes?: number;
  /** A write that comes after all others and after the outbox rows, so that rows of its own stand behind them. */
  last?: Omit<Write, "last" | "changes"> & { changes: number };
}
