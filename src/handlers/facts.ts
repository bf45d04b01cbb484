// Facts: what a command made true. A handler commits facts; the rows that tell others about them derive from them here: the event in
// auth.event now, audit and revocation rows later. No fact carries an e-mail address or a secret.
import type { Events } from "../generated/schemas.ts";

type Common = "eventId" | "at" | "userId" | "sequence" | "actor" | "traceparent";

export type Fact = { [Name in keyof Events]: { event: Name; body: Omit<Events[Name], Common> } }[keyof Events];

/** Makes a fact; the event's name decides what it must say. */
export function fact<Name extends keyof Events>(event: Name, body: Omit<Events[Name], Common>): Fact {
  return { event, body } as Fact;
}
