// When the fleet's key pairs change, decided from their rows and the time alone: whoever holds the lock on the keys
// (fleet-keys.ts) carries it out. A key is made (next), known to everybody for publishAheadMs, then active, and the one
// before it retired until nothing that it signed or that was sealed to it can still be under way. Any `next` key means
// a rotation is meant, whoever made it: the schedule or `authctl keys rotate`. Certificates are renewed daily.
import type { KeyRow, KeyUse, SigningAlg } from "../crypto/keys.ts";

export interface KeyRules {
  signingAlg: SigningAlg;
  /** A key is followed by another after so long, ms. */
  rotateEveryMs: number;
  /** A key is published so long before its first use, ms (AUTH_KEY_PUBLISH_AHEAD, 10 min). */
  publishAheadMs: number;
  /** How long a retired key is still there, ms: to verify what it signed, to open what was sealed to it. */
  keepMs: Record<KeyUse, number>;
}

export type KeyStep =
  | { do: "make"; alg: KeyRow["alg"] }
  | { do: "activate"; kid: string; use: KeyUse }
  | { do: "certify"; kid: string }
  | { do: "remove"; kid: string };

type Times = Pick<KeyRow, "kid" | "use" | "alg" | "state" | "createdAt" | "activeAt" | "retiredAt" | "certifiedAt">;

/** A certificate is good for two days: a relay may be away for one. */
const certifyEveryMs = 86_400_000;

/** What is due now; carrying it out and asking again leads to nothing being due. */
export function dueSteps(rows: readonly Times[], now: number, rules: KeyRules): KeyStep[] {
  const uses: KeyUse[] = ["sig", "enc"];
  const isOver = ({ state, use, retiredAt }: Times): boolean =>
    state === "retired" && now - (retiredAt ?? now) >= rules.keepMs[use];
  const isOld = ({ certifiedAt }: Times): boolean => certifiedAt === null || now - certifiedAt >= certifyEveryMs;
  return [
    ...uses.flatMap((use) => rotation(rows, { use, now, rules })),
    ...rows.filter(isOver).map(({ kid }): KeyStep => ({ do: "remove", kid })),
    ...rows.filter((row) => isOld(row) && !isOver(row)).map(({ kid }): KeyStep => ({ do: "certify", kid })),
  ];
}

function rotation(
  rows: readonly Times[],
  { use, now, rules }: { use: KeyUse; now: number; rules: KeyRules },
): KeyStep[] {
  const of = (state: KeyRow["state"]) => rows.filter((row) => row.use === use && row.state === state);
  const [next] = of("next").sort((a, b) => a.createdAt - b.createdAt);
  if (next !== undefined) {
    const known = now - next.createdAt >= rules.publishAheadMs;
    return known ? [{ do: "activate", kid: next.kid, use }] : [];
  }
  const alg = algOf(use, rules);
  const [active] = of("active");
  const old = active === undefined || now - (active.activeAt ?? 0) >= rules.rotateEveryMs - rules.publishAheadMs;
  return old || active.alg !== alg ? [{ do: "make", alg }] : [];
}

export function algOf(use: KeyUse, rules: Pick<KeyRules, "signingAlg">): KeyRow["alg"] {
  return use === "sig" ? rules.signingAlg : "ECDH-ES+A256KW";
}
