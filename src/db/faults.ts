// Classifies database errors: whether the fault is transient, or the data changed between reading and committing. Codes
// are PostgreSQL's (appendix A of its manual). Anything not listed is a fault of ours and is not retried.
import {
  BackendTerminatedError,
  BackendTerminatedUnexpectedlyError,
  ConnectionError,
  ForeignKeyIntegrityConstraintViolationError,
  UniqueIntegrityConstraintViolationError,
} from "slonik";

/** SQLSTATE -> why a retry may succeed */
const transientStates: Record<string, string> = {
  "08000": "connection lost",
  "08003": "connection lost",
  "08006": "connection lost",
  "40001": "serialization failure: another transaction won",
  "40P01": "deadlock: another transaction won",
  "53300": "too many connections, for now",
  "55P03": "lock not available, for now",
  "57P01": "server is shutting down; it will be back",
  "57P02": "server crashed; it will be back",
  "57P03": "server is starting",
};

const transientSocket = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

export function isTransient(error: unknown): boolean {
  for (const each of causes(error)) {
    if (each instanceof BackendTerminatedError || each instanceof BackendTerminatedUnexpectedlyError) return true;
    if (each instanceof ConnectionError) return true;
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && (Object.hasOwn(transientStates, code) || transientSocket.has(code))) return true;
    if (/timeout expired|connection terminated|connection ended/i.test(each.message)) return true;
    // A migration changed a table under a prepared statement: slonik drops the connection, and the next one prepares
    // again.
    if (/cached plan must not change result type/.test(each.message)) return true;
  }
  return false;
}

/** The commit found other data than its handler had read; returns the name of the failed demand. */
export function changedPart(error: unknown): string | undefined {
  for (const each of causes(error)) if ((each as { code?: unknown }).code === "AU409") return each.message;
  return undefined;
}

/**
 * A value that PostgreSQL cannot store, such as a text with a NUL (class 22, data exception): a retry would fail again.
 */
export function isDataFault(error: unknown): boolean {
  for (const each of causes(error)) {
    const { code } = each as { code?: unknown };
    if (typeof code === "string" && /^22[0-9A-Z]{3}$/.test(code)) return true;
  }
  return false;
}

/** The constraint that a write violated: a key was taken, or a row was deleted or referred to since it was read. */
export function takenConstraint(error: unknown): string | undefined {
  for (const each of causes(error)) {
    if (
      each instanceof UniqueIntegrityConstraintViolationError ||
      each instanceof ForeignKeyIntegrityConstraintViolationError
    )
      return each.constraint ?? undefined;
  }
  return undefined;
}

function* causes(error: unknown): Generator<Error> {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    yield current;
    current = current.cause;
  }
}
