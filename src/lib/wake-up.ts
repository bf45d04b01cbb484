// Wakes up a loop that waits for work for a limited time.
/** A wake-up while nobody waits is kept for the next wait. */
export function makeWakeUp() {
  let pending = false;
  let wakeWaiter: (() => void) | undefined;
  return {
    wake: (): void => {
      pending = true;
      wakeWaiter?.();
    },
    async wait(ms: number, signal: AbortSignal): Promise<void> {
      if (!pending && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wakeWaiter = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      pending = false;
      wakeWaiter = undefined;
    },
  };
}
