// The refusals of the bus itself. An application can rename their codes outside the process with BusProtocol.codes
// (names.ts).
import { AnyRefusal, type RefusalOptions } from "../lib/refusal.ts";

/** code -> default message */
const busRefusals = {
  INVALID_INPUT: "The request is not valid.",
  SEAL_REQUIRED: "Secrets must be sealed.",
  SEAL_INVALID: "The seal does not fit the request.",
  THROTTLED: "Too many requests for this key.",
  OVERLOADED: "The service is busy.",
  DEADLINE_EXCEEDED: "The time for this request is over.",
  NO_WORKERS: "Nobody serves this command.",
  UNAVAILABLE: "The service is not available.",
  UNSUPPORTED_SCHEMA: "The schema of the request is not supported.",
  INTERNAL: "The service has failed.",
} as const;

export type BusCode = keyof typeof busRefusals;

/** Makes a Refusal to throw, inside the process. */
export function refuse(code: BusCode, options: RefusalOptions = {}): AnyRefusal {
  return new AnyRefusal(code, { message: busRefusals[code], ...options });
}

/** INVALID_INPUT that names the field and the problem. */
export function invalid(field: string, problem: string): AnyRefusal {
  return refuse("INVALID_INPUT", { message: `${field}: ${problem}`, details: { field } });
}

/** The same with the application's codes, for what leaves the bus. */
export function refuserWith(codes: Partial<Record<BusCode, string>> = {}) {
  return (code: BusCode, options: RefusalOptions = {}): AnyRefusal =>
    new AnyRefusal(codes[code] ?? code, { message: busRefusals[code], ...options });
}
