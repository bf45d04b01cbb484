// --until TIME: a time in the future, as a date, a time of day with its zone, or a duration from now.
import { parseDuration } from "../../config/kinds.ts";
import { systemClock } from "../../lib/clock.ts";
import { type Invocation, textOption } from "../command.ts";
import { UsageFault } from "../faults.ts";

/** Without a zone a time of day would mean another moment on each machine. */
const form = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** Unix ms; null where it is not given. @throws UsageFault */
export function untilOption(call: Invocation): number | null {
  const text = textOption(call, "until");
  if (text === undefined) return null;
  const time = form.test(text) ? dated(text) : systemClock.now() + lasting(text);
  if (Number.isNaN(time))
    throw new UsageFault(`--until takes a time, such as 2030-01-31, 2030-01-31T18:00Z or 7d (from now), not ${text}.`);
  if (time <= systemClock.now()) throw new UsageFault(`--until takes a time to come, and ${text} is past.`);
  return time;
}

/** Date.parse makes the 3rd of March of the 31st of February. */
function dated(text: string): number {
  const day = text.slice(0, 10);
  const start = Date.parse(day);
  return !Number.isNaN(start) && new Date(start).toISOString().startsWith(day) ? Date.parse(text) : Number.NaN;
}

function lasting(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    return Number.NaN;
  }
}
