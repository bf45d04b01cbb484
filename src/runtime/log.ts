// The process's log: one JSON object a line on standard output (pino), without secrets: whatever is logged, the object,
// the message, what is put into it and a child's bindings, goes through the redact first. Records' values are never
// logged. Characters that move a terminal's cursor or hide what stands beside them are escaped, in whatever text.
import { type DestinationStream, type LogFn, type Logger, pino, stdTimeFunctions } from "pino";
import { safeJson } from "../lib/escaped.ts";
import { makeRedact, type Redact } from "./redact.ts";

export type { Logger };

export interface LogOptions {
  /** Names of fields that never appear with their values, beside those of redact.ts; the schemas' sealed fields. */
  secretNames?: readonly string[];
  /** Default: standard output. */
  destination?: DestinationStream;
}

/** @param level fatal, error, warn, info, debug, trace or silent */
export function makeLogger(
  level: string,
  bindings: Record<string, unknown>,
  { secretNames = [], destination }: LogOptions = {},
): Logger {
  const redact = makeRedact(secretNames);
  const options = {
    level,
    base: redact(bindings) as Record<string, unknown>,
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: (error: unknown) => error }, // the redact has made it an object already
    hooks: {
      logMethod(this: Logger, args: Parameters<LogFn>, log: LogFn): void {
        log.apply(this, redactedArguments(args, redact));
      },
      streamWrite: safeJson, // pino calls it for each line, whatever the destination
    },
  };
  const logger = destination === undefined ? pino(options) : pino(options, destination);
  return withRedactedChildren(logger, redact);
}

/** An error given alone is `err`, and its message the line's, as pino itself would have it. */
function redactedArguments(args: readonly unknown[], redact: Redact): Parameters<LogFn> {
  const [first, ...rest] = args;
  const given = first instanceof Error ? [{ err: first }, ...(rest.length > 0 ? rest : [first.message])] : args;
  return given.map(redact) as Parameters<LogFn>;
}

/** pino has no hook for the bindings of a child. A child inherits this, so its children are covered too. */
function withRedactedChildren(logger: Logger, redact: Redact): Logger {
  const child = logger.child;
  const covered = function (this: Logger, bindings: object, ...rest: unknown[]): Logger {
    return Reflect.apply(child, this, [redact(bindings), ...rest]) as Logger;
  };
  return Object.assign(logger, { child: covered });
}
