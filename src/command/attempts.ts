// Attempts at secrets that can be guessed: passwords and codes. Each is counted before it is verified and refunded when
// it was right, so parallel guesses cannot outrun the count. The rules are in docs/guessing.md, the decision is the
// database's (src/db/attempts.ts). Who and where are kept as keyed hashes: a login that does not exist may be a
// password in the wrong field, and an address is personal. Nothing here depends on whether there is such a login.
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

/** What is guessed at; each factor of an account is counted by itself. */
type Factor = "password" | "code";

export interface Attempt {
  factor: Factor;
  /** As it was typed, or as the account has it: case does not matter. */
  login: string;
  /**
   * Whom the requester serves; or the session of somebody who is logged in, whom guesses from elsewhere never delay.
   */
  from: { client: Client | null } | { sessionId: string; userId: number };
}

/**
 * At the password of a user who is logged in. Counted by session, so that guesses at the login from elsewhere do not
 * lock its owner out.
 */
export function attemptInSession({ login, sessionId, userId }: AccessClaims): Attempt {
  return { factor: "password", login, from: { sessionId, userId } };
}

/** An attempt counts as failed unless its commit says otherwise. */
export interface AttemptReservation {
  /** Belongs into the commit where the secret was right, whatever it then refuses. */
  refund: Write;
  /**
   * Belongs into the commit that opens a session for a user who has shown every factor: on this device guesses from
   * elsewhere delay the user no more.
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
   * Counts it in the read's own statement.
   * @throws Refusal THROTTLED with retryAfterMs and nothing counted; AlreadyAnswered
   */
  reserve<T>(attempt: Attempt, read: Read<T>): Promise<AttemptReservation & { row: T | null }>;
  /** Counts another request under a key that has its answer. @throws Refusal THROTTLED */
  conflict(attempt: Attempt): Promise<void>;
  /** The commit with these writes was made. */
  settle(writes: readonly Write[]): void;
  /** Takes the count back: nothing was verified. */
  release(): Promise<void>;
}

/** Whose attempts are counted: the request, by which a redelivered one is known again. */
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
      const refunded = refund(row, attemptPlace(row, device), uses);
      open = { factor: attempt.factor, row, refund: refunded, uses };
      return { row: answer.row, refund: refunded, remember: (userId) => remembering(row, userId, { device, rules }) };
    },
    async conflict(attempt) {
      const counted = await countAttempt(pool, attemptRow(parts, attempt, request), rules);
      attempted(attempt.factor, "conflict");
      if (counted.waitMs === 0) return;
      // A right guess would get the kept answer, at no hash's cost: so from now on there is none under this key.
      await invalidateAnswer(pool, request.key);
      throw throttled(parts, attempt, counted);
    },
    settle: (writes) => close(open !== undefined && writes.includes(open.refund) ? "right" : "wrong"),
    async release() {
      if (open === undefined) return;
      await releaseAttempt(pool, open.row);
      await releaseUse(pool, open.uses);
      close("released");
    },
  };
}

/** What an attempt of this kind of device is counted by. */
function attemptPlace(row: AttemptRow, device: Reserved["device"]): Buffer {
  if (device === "new") return row.place;
  return device === "token" && row.held !== null ? row.held.place : row.device;
}

function throttled(parts: AttemptDeps, { factor }: Attempt, { waitMs, limit = "account" }: Reserved): Refusal {
  parts.attempted(factor, "throttled");
  if (limit !== "account") return usedUp(parts, factor, { waitMs, limit });
  const message = "There were too many failed attempts.";
  return refuse("THROTTLED", { message, retryAfterMs: waitMs, details: { reason: "attempts" } });
}

/**
 * For a login that ends without a password of its own: by the answer to a challenge, or by a passkey alone. The same
 * writes as a reservation's `remember`, for a user who has shown every factor.
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
  const subject = hash("subject", factor, loginKey);
  const id = hash("request", key.topic, key.replyTopic, key.idempotencyKey, fingerprint).subarray(0, 8);
  const common = { subject, key: id };
  if ("sessionId" in from) {
    const [owner, place] = [hash("owner", loginKey), hash("session", subject, from.sessionId)];
    const account = { userId: from.userId };
    return {
      ...common,
      owner,
      account,
      kind: "session",
      place,
      device: place,
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
    place: hash("network", subject, network ?? ""),
    held:
      call.device === undefined ? null : { place: hash("token", subject, call.device.id), epoch: call.device.epoch },
    limits: useLimits(parts, using, call),
  };
}

/** Whom the requester serves, as an account knows its devices: for longer than a data key lives. */
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
