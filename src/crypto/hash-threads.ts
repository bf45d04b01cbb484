// Lets the threads that hash give way to the event loop. Argon2 runs on libuv's pool; with as many hashes at a time as
// there are cores, the loop that takes requests, and refuses what is too much, has to wait for a core like any of them.
// On Linux a priority belongs to a thread (setpriority(2), "C library/kernel differences"), and libuv names its
// threads, so those of the pool alone can be made nicer. Measured on 2 cores, `npm run bench -- overload cheap` in
// turns, niceness 0 and 10: OVERLOADED after 15.6 and 9.0 ms (p50), cheap commands beside a full hash lane 20.6 and
// 17.8 ms (p99), accepted logins 340 and 278 ms (p99 at ten times the peak); as many logins as before. Does nothing
// where the system knows no such threads; work is then only less prompt.
import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

const ownThreads = "/proc/self/task";
const poolThread = "libuv-worker";
/** As in nice(1), 0 to 19: about a ninth of the loop's share where both want the same core. */
const niceness = 10;

/**
 * The pool must have been used before: libuv starts its threads at their first work. Threads that Argon2 starts for its
 * lanes inherit.
 * @returns how many threads give way
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
