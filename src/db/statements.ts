// The two kinds of statement a handler works with, without running them: a Read gives at most one row, a Write changes
// something inside a commit. Handlers combine them; commit.ts and inbox.ts turn them into SQL. Fragments are slonik's.
import { type FragmentSqlToken, sql } from "slonik";
import type { ZodType } from "zod";

export type Fragment = FragmentSqlToken;

/** A question with at most one row as its answer. */
export interface Read<T> {
  select: Fragment;
  row: ZodType<T>;
}

/**
 * What a statement makes of an account, for the audit: `authctl audit verify --state` compares accounts with it
 * (audit/state.ts).
 */
export interface StateChange {
  aspect: string;
  /** JSON, of one form for each aspect (db/account-state.ts). */
  value: unknown;
}

/** The statement that locks and numbers the user of a commit: RETURNING id, sequence. */
export interface Subject {
  (numbers: number, gate: Fragment): Fragment;
  state?: readonly StateChange[];
}

/**
 * A change inside a commit: a data-modifying statement with RETURNING that touches rows only where `gate` holds.
 * `changes` rows must be touched, or the commit takes itself back and the handler starts anew; absent: any number.
 */
export interface Write {
  name: string;
  statement(gate: Fragment): Fragment;
  changes?: number;
  /** Holds wherever the commit does: such a write must not be one that may change nothing. */
  state?: readonly StateChange[];
  /** A write that comes after all others and after the outbox rows, so that rows of its own stand behind them. */
  last?: Omit<Write, "last" | "changes"> & { changes: number };
}

/**
 * Calls a function of the database that must give true, or the commit takes itself back. A volatile one sees what was
 * committed while the commit waited for its user's row, which a statement's own part does not: whatever ends rows that
 * others may be adding is such a function.
 */
export function callFunction(name: string, call: Fragment): Write {
  return {
    name,
    changes: 1,
    statement: (gate) => sql.fragment`SELECT 1 WHERE CASE WHEN ${gate} THEN ${call} ELSE false END`,
  };
}
