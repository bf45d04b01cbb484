// Warnings that anybody can cause by the thousand: the first of a kind is logged at once, the others are counted and
// reported once a minute.
import type { Logger } from "./log.ts";

export interface CountedWarnings {
  /** @param kind the first of each kind is logged; few kinds, or named by who causes them */
  warn(kind: string, bindings: object, message: string): void;
}

const everyMs = 60_000;
/** Further kinds in a minute are counted together. */
const mostKinds = 1000;
const others = "others";

export function makeCountedWarnings(log: Logger): CountedWarnings {
  const counts = new Map<string, { more: number; message: string }>();
  let timer: NodeJS.Timeout | undefined;

  const tell = (): void => {
    timer = undefined;
    for (const [kind, { more, message }] of counts) if (more > 0) log.warn({ kind, more }, message);
    counts.clear();
  };

  return {
    warn(given, bindings, message) {
      const kind = counts.has(given) || counts.size < mostKinds ? given : others;
      const known = counts.get(kind);
      if (known !== undefined) {
        known.more += 1;
        return;
      }
      counts.set(kind, { more: 0, message });
      timer ??= setTimeout(tell, everyMs);
      timer.unref();
      log.warn({ kind, ...bindings }, message);
    },
  };
}
