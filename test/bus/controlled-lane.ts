// A lane whose clock and whose tasks only the test moves.
import { Lane, type LaneOptions, type Permit } from "../../src/bus/lanes.ts";
import { Refusal } from "../../src/protocol/errors.ts";

export const settled = () => new Promise((resolve) => setImmediate(resolve));

export function lane(options: LaneOptions) {
  const time = { ms: 0 };
  const made = new Lane(options, () => time.ms);
  const running: { name: string; end: PromiseWithResolvers<void> }[] = [];
  const order: string[] = [];
  /** Resolves with `done`, the refusal's code, or the fault's message. */
  const run = (name: string, deadline = Number.POSITIVE_INFINITY): Promise<string> =>
    made
      .run(deadline, () => {
        order.push(name);
        const end = Promise.withResolvers<void>();
        running.push({ name, end });
        return end.promise;
      })
      .then(
        () => "done",
        (error: unknown) => (error instanceof Refusal ? error.code : (error as Error).message),
      );
  /** Ends the piece that has run longest. */
  const end = async (failure?: Error): Promise<void> => {
    const { end: piece } = running.shift()!;
    if (failure === undefined) piece.resolve();
    else piece.reject(failure);
    await settled();
  };
  return { lane: made, time, running, order, run, end };
}

/** Who is let in goes away again. */
export const refusalOf = (run: () => Permit): Refusal | undefined => {
  try {
    run().release();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
};
