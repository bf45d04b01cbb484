// Lowers the priority of the threads that hash. Argon2 runs on libuv's pool; with as many hashes at a time as cores,
// the event loop, which takes requests and refuses surplus ones, competes with them for a core. On Linux each thread
// has its own priority (setpriority(2), "C library/kernel differences") and libuv names its threads, so those of the
// pool can be made nicer. Measured on 2 cores, `npm run bench -- overload cheap` alternating niceness 0 and 10:
// OVERLOADED after 15.6 and 9.0 ms (p50), cheap commands beside a full hash lane 20.6 and 17.8 ms (p99), accepted
// logins 340 and 278 ms (p99 at ten times the peak); as many logins as before. Where the system has no such threads,
// this does nothing.
import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

const ownThreads = "/proc/self/task";
const poolThread = "libuv-worker";
/** As in nice(1), 0 to 19: a ninth of the event loop's share of a contended core. */
const niceness = 10;

/**
 * Call it after the pool's first work, which starts its threads. Threads that Argon2 starts for its lanes inherit the
 * priority.
 * @returns how many threads were changed
 */
export function lowerHashPriority(): number {
  try {
    const threads = readdirSync(ownThreads).filter(
      (id) => readFileSync(`${ownThreads}/${id}/comm`, "utf8").trimEnd() === poolThread,
    );
    for (const id of threads) setPriority(Number(id), niceness);
    return threads.length;
  } catch {
    return 0; // not Linux, or not allowed
  }
}
