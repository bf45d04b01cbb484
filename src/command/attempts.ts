// Attempts at secrets that can be guessed: passwords and codes. Each attempt is counted before the secret is verified
// and refunded if it was right, so parallel guesses cannot outrun the count. docs/guessing.md has the rules; the
// database decides (src/db/attempts.ts). Logins and origins are stored as keyed hashes, because an unknown login may be
// a password typed into the wrong field, and an address is personal. Nothing here depends on whether the login exists.
import type { Call } from "../bus/command.ts";
import type { AccessClaims } from "../crypto/access-tokens.ts";
import type { DataKeys } from "../crypto/envelope.ts";
import {
  type AttemptRow,
  type AttemptRules,
  countAttempt,
  type Reserved,
  refund,
  releaseAttempt,
  rememberDevice,
  reservation,
} from "../db/attempts.ts";
import { type InboxKey, invalidateAnswer, readReserving } from "../db/inbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import type { Read, Write } from "../db/statements.ts";
import { releaseUse } from "../db/uses.ts";
import { type Refusal, refuse } from "../protocol/errors.ts";
import type { Client } from "../protocol/generated/schemas.ts";
import { normalize } from "../protocol/record-key.ts";
import { AlreadyAnswered } from "./inbox.ts";
import { keyedHash, lastingHash } from "./keyed-hash.ts";
import { clientNetworks } from "./networks.ts";
import { refundable, type UseDeps, usedUp, useLimits } from "./uses.ts";

/** Attempts at each factor of an account are counted separately. */
type Factor = "password" | "code";

export interface Attempt {
  factor: Factor;
  /** As typed, or as the account has it: case does not matter. */
  login: string;
  /**
   * The client that the requester serves, or the session of a logged-in user. Guesses from elsewhere never delay the
   * latter.
   */
  from: { client: Client | null } | { sessionId: string; userId: number };
}

/**
 * An attempt at the password of a logged-in user. Counted by session, so that guesses at the login from elsewhere
 * cannot lock the owner out.
 */
export function attemptInSession({ login, sessionId, userId }: AccessClaims): Attempt {
  return { factor: "password", login, from: { sessionId, userId } };
}

/** A counted attempt. It counts as failed unless its commit includes `refund`. */
export interface AttemptReservation {
  /** Include it in the commit when the secret was right, even if the command is then refused. */
  refund: Write;
  /**
   * Include it in the commit that opens a session after every factor was verified: from then on, guesses from elsewhere
   * do not delay this device.
   */
  remember(userId: number): Write[];
}

type AttemptOutcome = "right" | "wrong" | "throttled" | "released" | "conflict";

export interface AttemptDeps extends UseDeps {
  pool: DatabasePool;
  dataKeys(): DataKeys;
  settings: UseDeps["settings"] & { attempts: AttemptRules };
  attempted(factor: Factor, outcome: AttemptOutcome): void;
}

/** The attempt of one request. */
export interface Attempts {
  /**
   * Counts the attempt in the read's own statement.
   * @throws Refusal THROTTLED with retryAfterMs, nothing counted; AlreadyAnswered
   */
  reserve<T>(attempt: Attempt, read: Read<T>): Promise<AttemptReservation & { row: T | null }>;
  /** Counts a different request under an idempotency key that is already answered. @throws Refusal THROTTLED */
  conflict(attempt: Attempt): Promise<void>;
  /** The commit with these writes succeeded. */
  complete(writes: readonly Write[]): void;
  /** Takes the count back, because nothing was verified. */
  release(): Promise<void>;
}

/** The request that an attempt belongs to; a redelivered one is counted once. */
interface AttemptRequest {
  key: InboxKey;
  fingerprint: Buffer;
  call: Call;
}

export function makeAttempts(parts: AttemptDeps, request: AttemptRequest): Attempts {
  const { pool, settings, attempted } = parts;
  const rules = settings.attempts;
  let open: { factor: Factor; row: AttemptRow; refund: Write; uses: Buffer[] } | undefined;
  const close = (outcome: AttemptOutcome): void => {
    if (open !== undefined) attempted(open.factor, outcome);
    open = undefined;
  };
  return {
    async reserve(attempt, read) {
      const row = attemptRow(parts, attempt, request);
      const answer = await readReserving(pool, request.key, read, reservation(row, rules));
      if ("kept" in answer) throw new AlreadyAnswered(answer.kept);
      const { waitMs, device } = answer.reserved;
      if (waitMs > 0) throw throttled(parts, attempt, answer.reserved);
      const uses = device === "new" ? refundable(row.limits) : [];
      const refunded = refund(row, attemptSource(row, device), uses);
      open = { factor: attempt.factor, row, refund: refunded, uses };
      return { row: answer.row, refund: refunded, remember: (userId) => remembering(row, userId, { device, rules }) };
    },
    async conflict(attempt) {
      const counted = await countAttempt(pool, attemptRow(parts, attempt, request), rules);
      attempted(attempt.factor, "conflict");
      if (counted.waitMs === 0) return;
      // A right guess would otherwise get the stored answer without the cost of a hash, so the answer is dropped.
      await invalidateAnswer(pool, request.key);
      throw throttled(parts, attempt, counted);
    },
    complete: (writes) => close(open !== undefined && writes.includes(open.refund) ? "right" : "wrong"),
    async release() {
      if (open === undefined) return;
      await releaseAttempt(pool, open.row);
      await releaseUse(pool, open.uses);
      close("released");
    },
  };
}

/** The key that attempts of such a device are counted under. */
function attemptSource(row: AttemptRow, device: Reserved["device"]): Buffer {
  if (device === "new") return row.source;
  return device === "token" && row.held !== null ? row.held.source : row.device;
}

function throttled(parts: AttemptDeps, { factor }: Attempt, { waitMs, limit = "account" }: Reserved): Refusal {
  parts.attempted(factor, "throttled");
  if (limit !== "account") return usedUp(parts, factor, { waitMs, limit });
  const message = "There were too many failed attempts.";
  return refuse("THROTTLED", { message, retryAfterMs: waitMs, details: { reason: "attempts" } });
}

/**
 * The same writes as a reservation's `remember`, for a login that ends without a password attempt of its own: with the
 * answer to a challenge, or with a passkey alone.
 */
export function rememberedDevice(
  { dataKeys, settings }: Pick<AttemptDeps, "dataKeys" | "settings">,
  { id, login }: { id: number; login: string },
  client: Client | null,
): Write[] {
  const known = deviceHashes(dataKeys(), login, client);
  return known.identified ? rememberDevice(known, id, settings.attempts) : [];
}

function remembering(
  row: AttemptRow,
  userId: number,
  { device, rules }: Pick<Reserved, "device"> & { rules: AttemptRules },
): Write[] {
  return row.identified && device !== "known" && device !== "token" ? rememberDevice(row, userId, rules) : [];
}

function attemptRow(
  parts: AttemptDeps,
  { factor, login, from }: Attempt,
  { key, fingerprint, call }: AttemptRequest,
): AttemptRow {
  const hash = keyedHash(parts.dataKeys());
  const loginKey = normalize(login);
  const limiterKey = hash("subject", factor, loginKey); // the label is part of stored keys: do not rename it
  const id = hash("request", key.topic, key.replyTopic, key.idempotencyKey, fingerprint).subarray(0, 8);
  const common = { limiterKey, key: id };
  if ("sessionId" in from) {
    const [owner, source] = [hash("owner", loginKey), hash("session", limiterKey, from.sessionId)];
    const account = { userId: from.userId };
    return {
      ...common,
      owner,
      account,
      kind: "session",
      source,
      device: source,
      identified: false,
      held: null,
      limits: [],
    };
  }
  const { network, ...known } = deviceHashes(parts.dataKeys(), login, from.client);
  const using = { use: factor, client: from.client };
  return {
    ...common,
    ...known,
    account: { loginKey },
    kind: network === undefined ? "unknown" : "network",
    source: hash("network", limiterKey, network ?? ""),
    held:
      call.device === undefined
        ? null
        : { source: hash("token", limiterKey, call.device.id), epoch: call.device.epoch },
    limits: useLimits(parts, using, call),
  };
}

/**
 * The hashes of a client's device and network. Their key outlives data key rotation, because accounts know devices for
 * months.
 */
function deviceHashes(keys: DataKeys, login: string, client: Client | null) {
  const hash = lastingHash(keys);
  const owner = hash("owner", normalize(login));
  const network = clientNetworks(client?.ip)?.narrow;
  const device = client?.device ?? "";
  return {
    owner,
    network,
    device: hash("device", owner, network ?? "", device),
    identified: network !== undefined || device !== "",
  };
}
