// Limits across accounts: how often one network may do something before it has to wait, whichever accounts it is about
// (docs/guessing.md). Uses are counted before anything is hashed or mailed, in the statement of the handler's first
// read. The network is that of `client.ip` as the requester reports it; a request without one falls under the limits of
// its account or address only, and a metric counts it. Nothing here depends on whether the account exists. Networks are
// stored as keyed hashes.
import type { Call } from "../bus/command.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import { type InboxKey, readReserving } from "../db/inbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { Read, Write } from "../db/statements.ts";
import { type CountedUse, countUse, refundUse, releaseUse, type UseLimit, useCount } from "../db/uses.ts";
import { type Refusal, refuse } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import { AlreadyAnswered } from "./inbox.ts";
import { type KeyedHash, keyedHash } from "./keyed-hash.ts";
import { clientNetworks } from "./networks.ts";

/**
 * What is counted, each kind separately, so that password guesses from a network do not stop registrations from it.
 * password, code: failed guesses. link: links that were not valid. register, mail, passkey: every use.
 */
export type Use = "password" | "code" | "link" | "register" | "mail" | "passkey";

/** A burst of uses, forgotten evenly within `perMs`. */
interface Rate {
  most: number;
  perMs: number;
}

export interface UseRules {
  /** For one network: an IPv4 address, an IPv6 /56. */
  network: Record<Use, Rate | "off">;
  /** A /48 is allowed this many times as much. */
  wide: number;
  /** For the whole fleet: requests that cost a hash before anybody is identified. */
  fleet: Rate | "off";
}

export interface ClientUse {
  use: Use;
  client: Client | null;
}

export interface UseDeps {
  pool: DatabasePool;
  dataKeys(): DataKeys;
  settings: { uses: UseRules };
  /** A limit across accounts refused a use. */
  limited(use: Use, limit: UseLimit["name"]): void;
  /** A request that is limited by network did not name its client. */
  clientUnknown(topic: string): void;
}

/** The uses of one request. */
export interface Uses {
  /**
   * Counts a use in the read's own statement, once, however often the handler runs again.
   * @returns the write that takes it back in a commit
   * @throws Refusal THROTTLED with retryAfterMs, nothing counted; AlreadyAnswered
   */
  count<T>(using: ClientUse, read: Read<T>): Promise<{ row: T | null; refund: Write }>;
  /** The same in a statement of its own. @throws Refusal THROTTLED */
  countAlone(using: ClientUse): Promise<{ refund: Write }>;
  /** Takes the use back, because nothing was done. */
  release(): Promise<void>;
}

/** What the requests in progress have used. By the call, because a handler that runs again is still one request. */
const usedBy = new WeakMap<Call, Buffer[]>();

export function makeUses(parts: UseDeps, { key, call }: { key: InboxKey; call: Call }): Uses {
  const { pool } = parts;
  const before = (using: ClientUse): UseLimit[] => (usedBy.has(call) ? [] : useLimits(parts, using, call));
  const after = (use: Use, limits: UseLimit[], counted: CountedUse): Write => {
    if (counted.waitMs > 0) throw usedUp(parts, use, counted);
    if (!usedBy.has(call)) usedBy.set(call, refundable(limits));
    return refundUse(usedBy.get(call)!);
  };
  return {
    async count(using, read) {
      const limits = before(using);
      const answer = await readReserving(pool, key, read, useCount(limits));
      if ("kept" in answer) throw new AlreadyAnswered(answer.kept);
      return { row: answer.row, refund: after(using.use, limits, answer.reserved) };
    },
    async countAlone(using) {
      const limits = before(using);
      const counted = limits.length === 0 ? { waitMs: 0 } : await countUse(pool, limits);
      return { refund: after(using.use, limits, counted) };
    },
    async release() {
      const limiterKeys = usedBy.get(call);
      usedBy.delete(call);
      if (limiterKeys !== undefined) await releaseUse(pool, limiterKeys);
    },
  };
}

const hashing: ReadonlySet<Use> = new Set<Use>(["password", "register"]);

/** The share of the fleet's rate that requests without a device token may take. */
const withoutDevice = 3 / 4;

/** The limits that a use falls under, in locking order: from the narrow network to the fleet. */
export function useLimits(
  parts: Pick<UseDeps, "dataKeys" | "settings" | "clientUnknown">,
  { use, client }: ClientUse,
  { topic, device }: Pick<Call, "topic" | "device">,
): UseLimit[] {
  const rules = parts.settings.uses;
  const networks = clientNetworks(client?.ip);
  if (networks === undefined) parts.clientUnknown(topic);
  const hash = keyedHash(parts.dataKeys());
  const rate = rules.network[use];
  const limits: UseLimit[] = [];
  if (rate !== "off" && networks !== undefined) {
    limits.push(limitBy(hash, [use, networks.narrow], rate));
    if (networks.wide !== undefined)
      limits.push(limitBy(hash, [use, networks.wide], { ...rate, most: rate.most * rules.wide }));
  }
  if (rules.fleet !== "off" && hashing.has(use)) {
    const whole = { ...limitBy(hash, ["fleet"], rules.fleet), name: "fleet" as const, known: true };
    limits.push({ ...whole, burst: device !== undefined ? whole.burst : Math.max(1, whole.burst * withoutDevice) });
  }
  return limits;
}

function limitBy(hash: KeyedHash, parts: string[], { most, perMs }: Rate): UseLimit {
  const perSecond = (most * 1000) / perMs;
  return { name: "network", limiterKey: hash("use", ...parts), burst: most, perSecond, known: false };
}

/** The limits that a right secret refunds. Not the fleet's: the hash was computed. */
export function refundable(limits: readonly UseLimit[]): Buffer[] {
  return limits.filter(({ name }) => name === "network").map(({ limiterKey }) => limiterKey);
}

const messages: Record<UseLimit["name"], string> = {
  network: "There were too many requests of this kind from this network.",
  fleet: "There are too many requests of this kind.",
};

export function usedUp(
  { limited }: Pick<UseDeps, "limited">,
  use: Use,
  { waitMs, limit = "network" }: CountedUse,
): Refusal {
  limited(use, limit);
  return refuse("THROTTLED", { message: messages[limit], retryAfterMs: waitMs, details: { reason: limit } });
}
