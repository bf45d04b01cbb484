// A refusal: the request was not carried out, and the caller gets a reason. It is an answer, not a fault: it travels in
// the reply. Any other error is a fault of ours. The codes are the application's.

export interface RefusalOptions {
  message?: string;
  /** Milliseconds from now after which a retry makes sense. */
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
   * For a refusal that came over Kafka. true: it has its request's mac, so it comes from the fleet. false: it was given
   * before the request was opened, or made by somebody with write access to the reply topic, and says nothing about an
   * effect. undefined: it was made on this side.
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
