// Sends dead letters. Any requester can cause some, and they are kept for 30 days, so each requester is limited per
// minute and process, in number and in bytes. Dead letters beyond the limit are counted and logged only, and their
// records count as finished. A requester is identified by its reply topic or, where a record names no valid one, by the
// record's topic and partition.

import type { OutRecord } from "../kafka/records.ts";
import { makeCountedWarnings } from "../runtime/counted-warnings.ts";
import type { Logger } from "../runtime/log.ts";

/** The reason for metrics; the dead letter has a sentence. */
export type DeadLetterReason = "no-reply-address" | "unreadable" | "internal" | "legacy" | "mail";

export interface DeadLetter {
  record: OutRecord;
  reason: DeadLetterReason;
  /** undefined: caused by the fleet itself, without a limit. */
  requester: string | undefined;
}

export interface DeadLetters {
  /** Resolves when the broker has it, never will (logged), or when it is over the limit. Retries until the signal. */
  send(letter: DeadLetter, signal: AbortSignal): Promise<void>;
}

export interface DeadLettersDeps {
  send(record: OutRecord, signal: AbortSignal): Promise<void>;
  /** Per requester. */
  perMinute: number;
  monotonic(): number;
  log: Logger;
  /** Counts them. */
  observe(reason: DeadLetterReason, outcome: "sent" | "left-out"): void;
}

const minuteMs = 60_000;
export const bytesPerMinute = 16 * 1024 * 1024;
/** Further requesters in a minute share one limit. */
const mostRequesters = 10_000;

export function makeDeadLetters(parts: DeadLettersDeps): DeadLetters {
  const warnings = makeCountedWarnings(parts.log);
  let used = new Map<string, { letters: number; bytes: number }>();
  let since = parts.monotonic();

  const isWithinBound = ({ requester, record }: DeadLetter): boolean => {
    if (requester === undefined) return true;
    if (parts.monotonic() - since >= minuteMs) {
      used = new Map();
      since = parts.monotonic();
    }
    const name = used.has(requester) || used.size < mostRequesters ? requester : "others";
    const own = used.get(name) ?? { letters: 0, bytes: 0 };
    const bytes = own.bytes + (record.value?.length ?? 0);
    if (own.letters >= parts.perMinute || (bytes > bytesPerMinute && own.letters > 0)) return false;
    used.set(name, { letters: own.letters + 1, bytes });
    return true;
  };

  return {
    async send(letter, signal) {
      const { record, reason, requester } = letter;
      if (isWithinBound(letter)) {
        await parts.send(record, signal);
        parts.observe(reason, "sent");
        return;
      }
      parts.observe(reason, "left-out");
      const { perMinute } = parts;
      warnings.warn(
        `dead letters of ${requester}`,
        { reason, perMinute },
        "dead letters are left out: too many in a minute",
      );
    },
  };
}
