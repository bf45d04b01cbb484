// Loaded before a process's own code (`node --import file:///…/watch.ts`): answers whoever started the process, over
// its channel, with what it uses and how long its event loop was held since it was asked last; and with the counts that
// rewritten lines have left behind (faults.ts).
// Held means: so much of a core the thread used between two turns of its loop. By the clock it would be longer wherever
// other processes have the cores.

export interface Watched {
  /** MiB. */
  rss: number;
  heap: number;
  /** ms of CPU at most, since the last time. */
  heldMs: number;
  /** The same by the clock. */
  lateMs: number;
  counts: Record<string, number>;
}

const everyMs = 5;
const mebibyte = 2 ** 20;
let cpu = process.threadCpuUsage();
let clock = performance.now();
let heldMs = 0;
let lateMs = 0;
setInterval(() => {
  const [usedNow, now] = [process.threadCpuUsage(), performance.now()];
  heldMs = Math.max(heldMs, (usedNow.user + usedNow.system - cpu.user - cpu.system) / 1000);
  lateMs = Math.max(lateMs, now - clock - everyMs);
  cpu = usedNow;
  clock = now;
}, everyMs).unref();

process.on("message", (asked) => {
  if (asked !== "watch") return;
  const counts = (globalThis as { counted?: Record<string, number> }).counted ?? {};
  const { rss, heapUsed } = process.memoryUsage();
  const watched: Watched = { rss: rss / mebibyte, heap: heapUsed / mebibyte, heldMs, lateMs, counts };
  [heldMs, lateMs] = [0, 0];
  process.send?.(watched);
});
process.channel?.unref();
