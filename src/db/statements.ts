// The two kinds of statement a handler uses without running them: a Read returns at most one row, a Write changes
// something inside a commit. commit.ts and inbox.ts turn them into SQL. Fragments are slonik's.
import { type FragmentSqlToken, sql } from "slonik";
import type { ZodType } from "zod";

export type Fragment = FragmentSqlToken;

/** A query with at most one row. */
export interface Read<T> {
  select: Fragment;
  row: ZodType<T>;
}

/**
 * What a statement changes of an account, for the audit: `authctl audit verify --state` compares accounts with it
 * (audit/state.ts).
 */
export interface StateChange {
  aspect: string;
  /** JSON, in the aspect's one form (db/account-state.ts). */
  value: unknown;
}

/** Locks and numbers the user of a commit: RETURNING id, sequence. */
export interface UserLock {
  (numbers: number, gate: Fragment): Fragment;
  state?: readonly StateChange[];
}

/**
 * A change inside a commit: a data-modifying statement with RETURNING that touches rows only where `gate` holds. It
 * must touch exactly `changes` rows, or the commit is rolled back and the handler runs again; absent: any number.
 */
export interface Write {
  name: string;
  statement(gate: Fragment): Fragment;
  changes?: number;
  /** Only on writes that always change a row: it is taken as true after the commit. */
  state?: readonly StateChange[];
  /** A write that runs after all others and after the outbox rows, so that its own outbox rows come after those. */
  last?: Omit<Write, "last" | "changes"> & { changes: number };
}

/**
 * Calls a database function that must return true, or the commit is rolled back. A volatile function sees what was
 * committed while the commit waited for its user's row; a part of the statement does not. Anything that ends rows that
 * others may be adding must be such a function.
 */
export function callFunction(name: string, call: Fragment): Write {
  return {
    name,
    changes: 1,
    statement: (gate) => sql.fragment`SELECT 1 WHERE CASE WHEN ${gate} THEN ${call} ELSE false END`,
  };
}
