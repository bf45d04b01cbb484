// When the fleet's key pairs change, decided from their rows and the time alone; fleet-keys.ts carries it out under the
// lock on the keys. A key is created (next), published for publishAheadMs, then active; the one before it is retired
// until nothing that it signed or that was sealed to it can still be in flight. A `next` key always becomes active,
// whether the schedule or `authctl keys rotate` created it. Certificates are renewed daily.
import type { KeyRow, KeyUse, SigningAlg } from "../crypto/keys.ts";

export interface KeyRules {
  signingAlg: SigningAlg;
  /** Ms until a key is replaced by a new one. */
  rotateEveryMs: number;
  /** Ms for which a key is published before its first use (AUTH_KEY_PUBLISH_AHEAD, 10 min). */
  publishAheadMs: number;
  /** Ms for which a retired key is kept, to verify what it signed or open what was sealed to it. */
  keepMs: Record<KeyUse, number>;
}

export type KeyStep =
  | { do: "make"; alg: KeyRow["alg"] }
  | { do: "activate"; kid: string; use: KeyUse }
  | { do: "certify"; kid: string }
  | { do: "remove"; kid: string };

type Times = Pick<KeyRow, "kid" | "use" | "alg" | "state" | "createdAt" | "activeAt" | "retiredAt" | "certifiedAt">;

/** A certificate is valid for two days, so relays may be down for one. */
const certifyEveryMs = 86_400_000;

/** What is due now; after carrying it out nothing is due. */
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
