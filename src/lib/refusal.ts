// A refusal: a request was not carried out, and the caller is told why. It is an answer, not a fault: it travels in the
// reply, and what is not a Refusal is a fault of ours. The codes are the application's.

export interface RefusalOptions {
  message?: string;
  /** Milliseconds from now after which asking again makes sense. */
  retryAfterMs?: number;
  details?: Record<string, string>;
  authentic?: boolean;
}

/** The code is for programs, the message for people. */
export class AnyRefusal<Code extends string = string> extends Error {
  override readonly name = "Refusal";
  readonly code: Code;
  readonly retryAfterMs: number | undefined;
  readonly details: Record<string, string>;
  /**
   * Of a refusal that came over Kafka: true where it carries the mac of its request, so that nobody but the fleet can
   * have made it. False: it was given before the request was opened, or made up by whoever may write to the reply
   * topic, and says nothing about an effect. undefined: it was made on this side.
   */
  readonly authentic: boolean | undefined;

  constructor(code: Code, options: RefusalOptions = {}) {
    super(options.message ?? code);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details ?? {};
    this.authentic = options.authentic;
  }
}
