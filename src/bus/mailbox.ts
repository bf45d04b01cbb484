// Mailboxes: a bounded first-in-first-out queue per key. The first push starts the mailbox's worker and an item is
// removed only when it is done, so an empty mailbox means that nothing of its key is in flight, and there is no idle
// loop. Keys run in parallel. A mailbox exists only while it holds something. Some places are reserved for requests
// with a valid device token, so that a flood on one key does not lock out the device of the account's user.
import { asError } from "../lib/errors.ts";

export interface Mailboxes {
  /**
   * Queues the task after all earlier ones of its key and runs it when it is first.
   * @param options.bound another bound than the default @param options.device whether it may use a place reserved for
   *   devices
   * @returns false when the key's mailbox is full: the task was not queued
   */
  push(key: string, task: () => Promise<void>, options?: { bound?: number; device?: boolean }): boolean;
  /** Keys with something in flight. */
  readonly keys: number;
  /** Items queued or running. */
  readonly size: number;
}

/** How many of the places are reserved for devices: 8, or a quarter of a small mailbox. */
function keptForDevices(bound: number): number {
  return Math.min(8, Math.floor(bound / 4));
}

/**
 * @param limit items per key, including the running one
 * @param failed called with the error of a rejected task, a bug in the task; the mailbox goes on
 */
export function makeMailboxes(limit: number, failed: (error: unknown) => void = surface): Mailboxes {
  const boxes = new Map<string, (() => Promise<void>)[]>();
  let size = 0;

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
  };
}

/** The default: an unhandled rejection. */
function surface(error: unknown): void {
  void Promise.reject(asError(error));
}
