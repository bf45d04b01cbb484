// Limits across accounts: what somebody may do from one network, at whichever accounts, before they have to wait
// (docs/guessing.md). Counted before anything is hashed or mailed, in the statement of the handler's first read.
// Networks are those of `client.ip`, as the requester says it: a request without one falls under the limits of its
// account or address alone, and is counted in a metric. Nothing here depends on whether there is such an account.
// Networks are kept as keyed hashes.
import type { Call } from "../bus/command.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import { type InboxKey, readReserving } from "../db/inbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { Read, Write } from "../db/statements.ts";
import { type CountedUse, countUse, releaseUse, takeBackUse, type UseLimit, useCount } from "../db/uses.ts";
import { type Refusal, refuse } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import { AlreadyAnswered } from "./inbox.ts";
import { type KeyedHash, keyedHash } from "./keyed-hash.ts";
import { clientNetworks } from "./networks.ts";

/**
 * What is counted, each by itself, so that guesses at passwords from a network keep nobody there from registering.
 * password, code: guesses that failed. link: links that did not hold. register, mail, passkey: every use.
 */
export type Use = "password" | "code" | "link" | "register" | "mail" | "passkey";

/** So many uses at once, forgotten evenly within `perMs`. */
interface Rate {
  most: number;
  perMs: number;
}

export interface UseRules {
  /** For one network: an IPv4 address, an IPv6 /56. */
  network: Record<Use, Rate | "off">;
  /** An IPv6 /48 may do so many times as much. */
  wide: number;
  /** For the whole fleet: what costs a hash before anybody has shown who they are. */
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
  /** A use was refused by a limit across accounts. */
  limited(use: Use, limit: UseLimit["name"]): void;
  /** A request that limits by network are for did not say whom it serves. */
  clientUnknown(topic: string): void;
}

/** The uses of one request. */
export interface Uses {
  /**
   * Counts a use in the read's own statement; once, however often the handler is started anew.
   * @returns what takes it back in a commit.
   * @throws Refusal THROTTLED with retryAfterMs and nothing counted; AlreadyAnswered
   */
  count<T>(using: ClientUse, read: Read<T>): Promise<{ row: T | null; refund: Write }>;
  /** The same in a statement of its own. @throws Refusal THROTTLED */
  countAlone(using: ClientUse): Promise<{ refund: Write }>;
  /** Takes it back: nothing was done. */
  release(): Promise<void>;
}

/**
 * What requests under way have used. By the call, because a handler that is tried again after a fault is one request
 * still.
 */
const usedBy = new WeakMap<Call, Buffer[]>();

export function makeUses(parts: UseDeps, { key, call }: { key: InboxKey; call: Call }): Uses {
  const { pool } = parts;
  const before = (using: ClientUse): UseLimit[] => (usedBy.has(call) ? [] : useLimits(parts, using, call));
  const after = (use: Use, limits: UseLimit[], counted: CountedUse): Write => {
    if (counted.waitMs > 0) throw usedUp(parts, use, counted);
    if (!usedBy.has(call)) usedBy.set(call, refundable(limits));
    return takeBackUse(usedBy.get(call)!);
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
      const subjects = usedBy.get(call);
      usedBy.delete(call);
      if (subjects !== undefined) await releaseUse(pool, subjects);
    },
  };
}

const hashing: ReadonlySet<Use> = new Set<Use>(["password", "register"]);

/** Of the fleet's rate, what requests without a device token may take. */
const withoutDevice = 3 / 4;

/** The limits that a use falls under, from the narrow network to the fleet: the order in which they are locked. */
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

function limitBy(hash: KeyedHash, subject: string[], { most, perMs }: Rate): UseLimit {
  const perSecond = (most * 1000) / perMs;
  return { name: "network", subject: hash("use", ...subject), burst: most, perSecond, known: false };
}

/** What a right secret takes back. Not the fleet's: its work is done. */
export function refundable(limits: readonly UseLimit[]): Buffer[] {
  return limits.filter(({ name }) => name === "network").map(({ subject }) => subject);
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
