// Bounds the audit rows of refused administrative requests, so that nobody can fill the audit with them (define.ts): a
// number per minute and worker for each actor, and for all unidentified ones together. Refusals beyond it are counted,
// and the count becomes one row when the minute ends.
//
// The counts are in memory, because counting in the database would be the very write that is to be avoided. A killed
// worker loses the count of one minute at most, never a row; `auth_requests_total` counts every refusal anyway.

/** Per actor. */
export const rowsPerMinute = 20;
const minute = 60_000;

export interface Denials {
  /** Whether this refusal gets a row. */
  mayWriteRow(actor: string): boolean;
  /** Writes the pending counts and stops counting. */
  close(): Promise<void>;
}

interface DenialCount {
  rows: number;
  more: number;
}

/**
 * @param tell writes the row with the number of further refusals of an actor; its errors go to `failed`
 * @param every ms
 */
export function makeDenials({
  tell,
  failed,
  every = minute,
}: {
  tell(actor: string, more: number): Promise<void>;
  failed(error: unknown): void;
  every?: number;
}): Denials {
  let counted = new Map<string, DenialCount>();
  const turn = async (): Promise<void> => {
    const over = [...counted].filter(([, { more }]) => more > 0);
    counted = new Map();
    for (const [actor, { more }] of over) await tell(actor, more);
  };
  const timer = setInterval(() => void turn().catch(failed), every);
  timer.unref();
  return {
    mayWriteRow(actor) {
      const known = counted.get(actor) ?? { rows: 0, more: 0 };
      counted.set(actor, known);
      if (known.rows < rowsPerMinute) known.rows += 1;
      else known.more += 1;
      return known.more === 0;
    },
    async close() {
      clearInterval(timer);
      await turn().catch(failed);
    },
  };
}
