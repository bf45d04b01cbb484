// The fleet's key to seal to: asked for once, by whoever comes first, and again when the fleet says that it does not know ours any more.
// However many calls hear that at a time, one of them asks. A failure is not remembered. Where there are pins, only a pinned key will do.
import type { JWK } from "jose";
import { Refusal, refuse } from "../errors.ts";
import type { Logger } from "../log.ts";
import { isPinned, type KeyPins, pinAdvice } from "./key-pins.ts";

export type SealingJwk = JWK & { kid: string };

export interface SealingKeys {
  /** @throws Refusal UNAVAILABLE where the fleet has no key that may be sealed to (details.reason `unpinned-key`); what asking throws */
  get(): Promise<SealingJwk>;
  /** The fleet does not know this one. */
  forget(used: SealingJwk): void;
}

const attempts = 4;

export interface SealingKeysOptions {
  pins: KeyPins | undefined;
  log: Logger;
  /** Asks auth.key.list. */
  list(): Promise<{ jwks: string }>;
}

export function sealingKeys({ pins, log, list }: SealingKeysOptions): SealingKeys {
  let known: Promise<SealingJwk> | undefined;
  let current: SealingJwk | undefined;

  const ask = async (): Promise<SealingJwk> => {
    const { keys } = JSON.parse((await patiently(list)).jwks) as { keys: SealingJwk[] };
    current = choose(
      keys.filter(({ use }) => use === "enc"),
      { pins, log },
    );
    return current;
  };
  return {
    get() {
      known ??= ask().catch((error: unknown) => {
        known = undefined;
        throw error;
      });
      return known;
    },
    forget(used) {
      if (used !== current) return; // somebody has asked since
      current = undefined;
      known = undefined;
    },
  };
}

async function patiently(list: SealingKeysOptions["list"]): Promise<{ jwks: string }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await list();
    } catch (error) {
      // Without a key the record goes to any partition: one that nobody reads yet must not be all there is.
      const late = error instanceof Refusal && error.code === "DEADLINE_EXCEEDED";
      if (!late || attempt === attempts) throw error;
    }
  }
}

/**
 * The first is in use, then come the next ones and the retired ones; the fleet opens what is sealed to any of them. So pins that are behind
 * by a rotation still do, for as long as the retired key is kept.
 */
function choose(keys: SealingJwk[], { pins, log }: Pick<SealingKeysOptions, "pins" | "log">): SealingJwk {
  const [first] = keys;
  if (first === undefined) throw refuse("UNAVAILABLE", { message: "The fleet has no sealing key." });
  const key = keys.find((each) => isPinned(each, pins));
  if (key === undefined) {
    throw refuse("UNAVAILABLE", {
      message: `The fleet's sealing key ${first.kid} is not pinned, so nothing is sealed to it: ${pinAdvice}.`,
      details: { reason: "unpinned-key", kid: first.kid },
    });
  }
  if (key !== first) {
    log.warn({ kid: first.kid, sealingTo: key.kid }, `the fleet's sealing key is not pinned yet: ${pinAdvice}`);
  }
  return key;
}
