// The source of an import, whatever it is: its name, its extent, and its rows in pages from any row on.
import type { SourceRow } from "./rows.ts";

/** Rows of a page, which is what one statement writes. */
export const pageRows = 1000;

/** After which row to continue. */
export interface SourcePosition {
  position: number;
  nextByte: number;
}

export interface Source {
  /** The key of its stored state: without the reader's name and without a secret. */
  readonly name: string;
  /** Differs where another export has the same name. */
  readonly fingerprint: string;
  /** Absent where a run cannot go on where another ended. */
  readonly resumable: boolean;
  /** Before its first row. */
  readonly start: SourcePosition;
  /** The largest id, where that is known before. */
  readonly largestId: number;
  /** How much comes after that position; undefined where it is unknown. Rows, or bytes of a file. */
  extent(after: SourcePosition): Promise<{ total: number | undefined; unit: "rows" | "bytes" }>;
  pages(after: SourcePosition): AsyncGenerator<readonly SourceRow[]>;
}

/** Asks for the next page while this one is worked on. */
export async function* ahead<T>(pages: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = pages.next();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = pages.next();
      next.catch(() => undefined); // awaited when its turn comes
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await pages.return(undefined);
  }
}
