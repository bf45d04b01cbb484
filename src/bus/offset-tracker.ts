// How far a partition is done: the offset below which every record is finished, in whatever order they were. Records of
// a partition that was lost still finish here; nothing of it is committed any more.

export class OffsetTracker {
  /** Offsets handed over that cannot be committed yet: true once finished. Insertion order is offset order. */
  readonly #open = new Map<bigint, boolean>();
  #next: bigint | undefined;
  #committable: bigint | undefined;
  #committed: bigint | undefined;

  /**
   * @returns false for an offset that was handed over before: after a rebalance the driver reads from the last commit
   *   again.
   */
  add(offset: bigint): boolean {
    if (this.#next !== undefined && offset < this.#next) return false;
    this.#open.set(offset, false);
    this.#next = offset + 1n;
    return true;
  }

  /** The offset that is expected next; undefined before the first. */
  get next(): bigint | undefined {
    return this.#next;
  }

  finish(offset: bigint): void {
    if (!this.#open.has(offset)) return;
    this.#open.set(offset, true);
    for (const [first, done] of this.#open) {
      if (!done) break;
      this.#open.delete(first);
      this.#committable = first + 1n;
    }
  }

  /** The offset to commit, if it moved since the last commit. */
  get committable(): bigint | undefined {
    return this.#committable === this.#committed ? undefined : this.#committable;
  }

  committed(offset: bigint): void {
    this.#committed = offset;
  }

  /** Records handed over and not known to be finished, and those that wait behind them. */
  get size(): number {
    return this.#open.size;
  }
}
