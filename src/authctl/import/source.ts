// Where an import reads from, whatever it is: how it is called, how much there is, and its rows in pages from any row on.
import type { SourceRow } from "./rows.ts";

/** Rows of a page, which is what one statement writes. */
export const pageRows = 1000;

/** After which row to go on. */
export interface Place {
  position: number;
  nextByte: number;
}

export interface Source {
  /** By which its state is found again: without who reads it, and without a secret. */
  readonly name: string;
  /** Another one: another export under the same name. */
  readonly fingerprint: string;
  /** Absent where a run cannot go on where another ended. */
  readonly resumable: boolean;
  /** Before its first row. */
  readonly start: Place;
  /** The largest id, where that is known before. */
  readonly largestId: number;
  /** How much comes after that place; undefined where nobody knows. Rows, or bytes of a file. */
  extent(after: Place): Promise<{ total: number | undefined; unit: "rows" | "bytes" }>;
  pages(after: Place): AsyncGenerator<readonly SourceRow[]>;
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
