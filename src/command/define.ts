// defineHandler(): what a command is made of. The topic brings the types of request and result, the schemas, the record
// key and the sealed fields; the handler adds its lane, whether its answer is stored, which capabilities it needs, and
// what it does.
import type { LaneName } from "../bus/command.ts";
import type { Commands } from "../protocol/generated/schemas.ts";
import type { Attempt } from "./attempts.ts";
import type { Capability, Context } from "./context.ts";

export interface Handler<T extends keyof Commands = keyof Commands, C extends Capability = Capability> {
  topic: T;
  lane: LaneName;
  /** For a command of which only some requests need a hash: those wait for hashes, and the others never do. */
  laneOf?(request: Commands[T]["request"]): LaneName;
  /** What it may do beside reading and committing (context.ts). Default: nothing. */
  needs?: readonly C[];
  /** Whether it changes or counts something: its first answer is stored and given again to the same request. */
  storesAnswer: boolean;
  /**
   * Answered no sooner than so many ms after it was begun: its time must not tell what it found. Default: as soon as it
   * is done.
   */
  minResponseMs?: number;
  /**
   * Whose attempt a request is that has a password or a code. Another request under a key that has its answer is a
   * guess at the first one's secret, so it counts as a failed attempt (docs/protocol.md, Once).
   */
  attempt?(request: Commands[T]["request"], ctx: Context<C>): Attempt | undefined | Promise<Attempt | undefined>;
  /**
   * Whether the actor's token of this request counts, where it is another than that of the first one, which has its
   * answer (fingerprint.ts).
   * @throws Refusal where it does not
   */
  vouch?(request: Commands[T]["request"], ctx: Context<C>): Promise<void>;
  handle(request: Commands[T]["request"], ctx: Context<C>): Promise<Commands[T]["result"]>;
}

export function defineHandler<T extends keyof Commands, C extends Capability = never>(
  handler: Handler<T, C>,
): Handler<T, C> {
  return handler;
}

/** Body of every legacy topic that comes in. */
export interface LegacyBody {
  id: number;
}

/** What the handlers of the platform's topics may do: they delete users. */
export const legacyNeeds = ["givenUpLogins"] as const satisfies Capability[];
export type LegacyContext = Context<(typeof legacyNeeds)[number]>;

/** One JSON topic of the platform. Its record is its own idempotency key: a redelivered record changes nothing. */
export interface LegacyHandler {
  topic: string;
  handle(body: LegacyBody, ctx: LegacyContext): Promise<void>;
}

export function defineLegacyHandler(handler: LegacyHandler): LegacyHandler {
  return handler;
}
