// How a command of authctl fails, besides by a refusal of the fleet, and the exit codes.

export const exitCodes = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

/** Arguments or environment are wrong: exit code 2. The message is a sentence. */
export class UsageFault extends Error {
  override readonly name = "UsageFault";
}

/**
 * Kafka, the registry or the database does not answer, or there is no fleet: exit code 3; the message says what to do.
 */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}
