// Mailboxes: a bounded first-in-first-out queue per key. The first push starts the mailbox's worker, an item leaves
// only when it is done, so an empty mailbox means nothing of that key is in flight, and there is no idle loop. Keys run
// side by side. A mailbox exists only while it holds something.
// Some of its places are kept for requests with a valid device token, so that a flood on one key does not keep out the
// device that the account's user has.
import { asError } from "../lib/errors.ts";

export interface Mailboxes {
  /**
   * Queues the task behind all earlier ones of its key and runs it when it is first.
   * @param options.bound another bound than the usual one @param options.device whether it may have a place that is
   *   kept for devices
   * @returns false when the key's mailbox is full: the task was not taken.
   */
  push(key: string, task: () => Promise<void>, options?: { bound?: number; device?: boolean }): boolean;
  /** Keys with something in flight. */
  readonly keys: number;
  /** Items queued or running. */
  readonly size: number;
  /** Resolves when nothing is queued or running. */
  idle(): Promise<void>;
}

/** Of so many places, how many are kept for devices: 8, or a quarter of a small mailbox. */
function keptForDevices(bound: number): number {
  return Math.min(8, Math.floor(bound / 4));
}

/**
 * @param limit items one key may hold, the running one included
 * @param failed is told of a task that rejects: a fault of the task's, at which its mailbox must not stop
 */
export function makeMailboxes(limit: number, failed: (error: unknown) => void = surface): Mailboxes {
  const boxes = new Map<string, (() => Promise<void>)[]>();
  let size = 0;
  let waiting: (() => void)[] = [];

  const work = async (key: string, box: (() => Promise<void>)[]): Promise<void> => {
    for (let task = box[0]; task !== undefined; task = box[0]) {
      try {
        await task();
      } catch (error) {
        failed(error);
      }
      box.shift();
      size -= 1;
    }
    boxes.delete(key);
    if (size === 0) {
      for (const resolve of waiting) resolve();
      waiting = [];
    }
  };

  return {
    push(key, task, { bound = limit, device = false } = {}) {
      const box = boxes.get(key);
      if (box !== undefined && box.length >= bound - (device ? 0 : keptForDevices(bound))) return false;
      size += 1;
      if (box !== undefined) {
        box.push(task);
      } else {
        const made = [task];
        boxes.set(key, made);
        void work(key, made);
      }
      return true;
    },
    get keys() {
      return boxes.size;
    },
    get size() {
      return size;
    },
    idle: () => (size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}

/** The default: an unhandled rejection, as of any promise that nobody waits for. */
function surface(error: unknown): void {
  void Promise.reject(asError(error));
}
