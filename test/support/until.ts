// Waiting in tests: for what is waited for, with a bound, instead of for a time.
/** Asks until it is so. @throws Error after the bound, naming what it waited for */
export async function until(what: string, ask: () => Promise<boolean> | boolean, boundMs = 20_000): Promise<void> {
  const end = performance.now() + boundMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await ask()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited ${boundMs} ms in vain: ${what}`, { cause: last });
}
