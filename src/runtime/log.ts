// The process's log: one JSON object per line on standard output (pino), without secrets: objects, messages, their
// arguments and child bindings are redacted first. Values of records are never logged. Characters that move a
// terminal's cursor or hide text are escaped.
import { type DestinationStream, type LogFn, type Logger, pino, stdTimeFunctions } from "pino";
import { safeJson } from "../lib/escaped.ts";
import { makeRedact, type Redact } from "./redact.ts";

export type { Logger };

export interface LogOptions {
  /** Names of fields whose values never appear, besides those of redact.ts: the schemas' sealed fields. */
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

/** An error given alone becomes `err`, and its message the line's, as in pino itself. */
function redactedArguments(args: readonly unknown[], redact: Redact): Parameters<LogFn> {
  const [first, ...rest] = args;
  const given = first instanceof Error ? [{ err: first }, ...(rest.length > 0 ? rest : [first.message])] : args;
  return given.map(redact) as Parameters<LogFn>;
}

/** pino has no hook for child bindings. Children inherit this, so their children are covered too. */
function withRedactedChildren(logger: Logger, redact: Redact): Logger {
  const child = logger.child;
  const covered = function (this: Logger, bindings: object, ...rest: unknown[]): Logger {
    return Reflect.apply(child, this, [redact(bindings), ...rest]) as Logger;
  };
  return Object.assign(logger, { child: covered });
}
