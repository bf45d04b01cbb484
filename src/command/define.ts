// defineHandler() declares a command. The topic determines its types, schemas, record key and sealed fields. The
// handler adds its lane, whether its answer is stored, the capabilities it needs, and its code.
import type { LaneName } from "../bus/command.ts";
import type { Commands } from "../protocol/generated/schemas.ts";
import type { Attempt } from "./attempts.ts";
import type { Capability, Context } from "./context.ts";

export interface Handler<T extends keyof Commands = keyof Commands, C extends Capability = Capability> {
  topic: T;
  lane: LaneName;
  /** For commands of which only some requests need a hash: the others do not wait in the hash lane. */
  laneOf?(request: Commands[T]["request"]): LaneName;
  /** The capabilities it uses beyond reading and committing (context.ts). Default: none. */
  needs?: readonly C[];
  /** Whether it changes or counts something: its first answer is stored and repeated to the same request. */
  storesAnswer: boolean;
  /**
   * The earliest time for the reply, in ms after the start, so that timing does not reveal what was found. Default:
   * none.
   */
  minResponseMs?: number;
  /**
   * The attempt that a request with a password or a code stands for. A different request under an answered idempotency
   * key is a guess at the first request's secret, so it is counted as a failed attempt (docs/protocol.md, Once).
   */
  attempt?(request: Commands[T]["request"], ctx: Context<C>): Attempt | undefined | Promise<Attempt | undefined>;
  /**
   * Verifies the actor token of a repeated request that is signed anew (fingerprint.ts), before the stored answer is
   * returned.
   * @throws Refusal where the token is not valid
   */
  verifyActor?(request: Commands[T]["request"], ctx: Context<C>): Promise<void>;
  handle(request: Commands[T]["request"], ctx: Context<C>): Promise<Commands[T]["result"]>;
}

export function defineHandler<T extends keyof Commands, C extends Capability = never>(
  handler: Handler<T, C>,
): Handler<T, C> {
  return handler;
}

/** The body of every inbound legacy topic. */
export interface LegacyBody {
  id: number;
}

/** The handlers of legacy topics delete users, and so quarantine logins. */
export const legacyNeeds = ["quarantinedLogins"] as const satisfies Capability[];
export type LegacyContext = Context<(typeof legacyNeeds)[number]>;

/** One inbound JSON topic of the platform. A record is its own idempotency key: redelivery changes nothing. */
export interface LegacyHandler {
  topic: string;
  handle(body: LegacyBody, ctx: LegacyContext): Promise<void>;
}

export function defineLegacyHandler(handler: LegacyHandler): LegacyHandler {
  return handler;
}
