// How many refused administrative attempts get a row of the audit, so that nobody can fill it with them (define.ts): of
// each actor, and of all who are nobody together, so many a minute in each worker. What is over is counted, and the
// count is a row of its own when the minute ends.
//
// In memory, because a count in the database would be a write for each attempt, which is what is to be bounded. So a
// worker that is killed loses the count of a minute at most, never a row that it wrote; `auth_requests_total` counts
// every refusal besides.

/** Rows of one actor within a minute. */
export const rowsPerMinute = 20;
const minute = 60_000;

export interface Denials {
  /** Whether this attempt of the actor gets a row. */
  admit(actor: string): boolean;
  /** Writes the counts now, and counts no more. */
  close(): Promise<void>;
}

interface DenialCount {
  rows: number;
  more: number;
}

/**
 * @param tell writes the row that says how many more of an actor there were; what it throws is told to `failed`
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
    admit(actor) {
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
