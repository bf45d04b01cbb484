// Counts what was begun and has not ended, for who must wait until that is nothing.

export class InFlight {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  begin(): void {
    this.#count += 1;
  }

  /** Once for each begin(). */
  end(): void {
    this.#count -= 1;
    if (this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when nothing is in flight, at once where nothing is. */
  idle(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}
