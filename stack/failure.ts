// What keeps the stack from starting and a user can put right: its message is one sentence that says what to do.
// Whoever starts the stack shows the message alone and ends with exit code 1; any other error is a fault of ours and
// keeps its stack trace. It does not say how to retry: nothing here is retried.

export class StackFailure extends Error {}

/** The code of a system error ("EACCES"), or its message where it has none. */
export function codeOf(error: unknown): string {
  // No instanceof: under Jest system errors come from another realm than the tests.
  const { code, message } = error as { code?: string; message?: string };
  return code ?? message ?? String(error);
}
