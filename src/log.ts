// The process's log: one JSON object a line on standard output (pino), without secrets: what may hold one is censored by name
// wherever it stands in the first three levels of a logged object. Records' values are never logged.
import { type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger };

const secrets = ["password", "token", "sealed", "secret", "challenge", "accessToken", "refreshToken", "actorToken"];

/** @param level fatal, error, warn, info, debug, trace or silent */
export function makeLogger(level: string, bindings: Record<string, unknown>): Logger {
  return pino({
    level,
    base: bindings,
    timestamp: stdTimeFunctions.isoTime,
    redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[secret]" },
  });
}
