// The only place that reads the time. Everything else takes a Clock, so that tests can set it.

export interface Clock {
  /** Milliseconds since 1970 (Unix time); may jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never jumps. For durations and deadlines inside one process. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
