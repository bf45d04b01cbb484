// Handlers in this process against a database of their own: the real statements, hashes and keys, and no Kafka. For
// what must be measured without the noise of two hops, or be exact among a hundred at once. What goes through Kafka is
// tested through Kafka.
import { randomBytes } from "node:crypto";
import { sql } from "slonik";
import { z } from "zod";
import type { BusCommand, Call, Lanes, VerifiedDevice } from "../../src/bus/command.ts";
import { Lane } from "../../src/bus/lanes.ts";
import { delayUntil } from "../../src/bus/min-response.ts";
import type { Settings } from "../../src/command/context.ts";
import type { RunDeps } from "../../src/command/deps.ts";
import { busCommand, runLegacy } from "../../src/command/run.ts";
import type { MasterKey } from "../../src/config/kinds.ts";
import { readConfig } from "../../src/config/read.ts";
import { makeDeviceTokens } from "../../src/crypto/device-token.ts";
import type { DataKeys } from "../../src/crypto/envelope.ts";
import { makePasswords, type Passwords } from "../../src/crypto/passwords.ts";
import { makeTokens } from "../../src/crypto/tokens.ts";
import { type DatabasePool, openPool } from "../../src/db/pool.ts";
import { handlers } from "../../src/handlers/index.ts";
import { ensureKeys, keyRulesOf, loadFleetKeys } from "../../src/keys/fleet-keys.ts";
import { legacyHandlers } from "../../src/legacy/handlers.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { policyOf, settingsOf } from "../../src/processes/worker.ts";
import { Refusal, refuse } from "../../src/protocol/errors.ts";
import type { Commands } from "../../src/protocol/generated/schemas.ts";
import { sweep } from "../../src/relay/maintenance.ts";
import { makeDatabase } from "./databases.ts";
import { quiet } from "./logger.ts";
import { testStack } from "./stack.ts";

type Topic = keyof Commands;

interface AskOptions {
  /** Default: one that was never used. */
  idempotencyKey?: Buffer;
  /** When the broker took the record; default: now. */
  recordedAt?: number;
  /**
   * What the request's device token holds, as if the bus had verified it; or the token, which is verified as the bus
   * does it.
   */
  device?: VerifiedDevice | string;
}

/** Handlers, and what they stand on. */
export interface HandlerHarness {
  pool: DatabasePool;
  /** The database and the master key, as authctl is given them. */
  env: Record<string, string>;
  /** Of its database, for connections of one's own. */
  url: string;
  parts: RunDeps;
  settings: Settings;
  dataKeys(): DataKeys;
  /** What wraps the data keys of its database. */
  master: MasterKey[];
  /** As the bus has them, and the lanes they run in. */
  commands: ReadonlyMap<string, BusCommand>;
  lanes: Lanes;
  /** Hashes made and verified so far. */
  hashes(): number;
  /** `factor outcome` of every attempt, as the metric auth_attempts_total counts them. */
  attempts: string[];
  /** `use limit` of every refusal by a limit across accounts, as auth_limited_total counts them. */
  limited: string[];
  /** Topic of every request that did not say whom it serves, as auth_client_unknown_total counts them. */
  unknown: string[];
  ask<T extends Topic>(topic: T, request: Commands[T]["input"], options?: AskOptions): Promise<Commands[T]["result"]>;
  /** The same in the time in which the bus answers it (`minResponseMs`). */
  askInTime: HandlerHarness["ask"];
  /** "ok", or the code it was refused with. */
  outcome<T extends Topic>(topic: T, request: Commands[T]["input"], options?: AskOptions): Promise<string>;
  /** A record of one of the platform's JSON topics. */
  tell(topic: string, body: { id: number }): Promise<void>;
  /** The tokens in mails to the address, or for the user, the oldest first; nothing is ever published here. */
  mailedTokens(mails: { to: string } | { userId: number }): Promise<string[]>;
  /** Whether its hash lane refuses everything. */
  setBusy(busy: boolean): void;
  /** One round of maintenance. */
  sweep(): Promise<void>;
  /** Another worker's handlers, on the same database and with the same keys; to be closed before this one. */
  beside(options?: Omit<HarnessOptions, "database">): Promise<HandlerHarness>;
  close(): Promise<void>;
}

interface Database {
  url: string;
  master: MasterKey[];
}

export interface HarnessOptions {
  env?: Record<string, string>;
  poolSize?: number;
  /** Hashes that cost some microseconds, so that the rest can be measured. */
  cheapHashes?: boolean;
  /** The worker's clock; the database has its own. */
  clock?: Clock;
  /** Default: an empty one. */
  database?: Database;
}

/** An empty database with all migrations. */
export async function emptyDatabase(size = 10): Promise<DatabasePool> {
  const pool = await openPool({ url: await newDatabase(), size, applicationName: "test" });
  pool.on("error", () => undefined); // also of a query that lost a race, which whoever made it is told of by its rejection
  return pool;
}

function newDatabase(): Promise<string> {
  return makeDatabase(testStack(), `own_${randomBytes(6).toString("hex")}`);
}

export async function handlerHarness({
  env = {},
  poolSize = 10,
  cheapHashes = false,
  clock = systemClock,
  database,
}: HarnessOptions = {}): Promise<HandlerHarness> {
  const config = readConfig(
    { AUTH_ARGON2_MEMORY: "7168", AUTH_ARGON2_TIME: "1", AUTH_LEGACY_TOPICS: "true", ...env },
    "dev",
  );
  const own = database ?? { url: await newDatabase(), master: [{ kid: "t1", key: randomBytes(32) }] };
  const { master } = own;
  const pool = await openPool({ url: own.url, size: poolSize, applicationName: "test" });
  pool.on("error", () => undefined);
  await ensureKeys({ pool, master, rules: keyRulesOf(config), clock: systemClock });
  const keys = await loadFleetKeys(pool, master, quiet);
  const devices = makeDeviceTokens(keys.dataKeys, config.AUTH_KNOWN_DEVICE_TTL);
  const lane = () => new Lane({ width: poolSize }, systemClock.monotonic);
  const [attempts, limited, unknown]: [string[], string[], string[]] = [[], [], []];
  let hashes = 0;
  let busy = false;
  const parts: RunDeps = {
    pool,
    lanes: { hash: refusing(lane(), () => busy), db: lane(), cheap: lane() },
    passwords: counted(
      makePasswords({
        memoryKiB: cheapHashes ? 8 : config.AUTH_ARGON2_MEMORY,
        time: cheapHashes ? 1 : config.AUTH_ARGON2_TIME,
        parallelism: config.AUTH_ARGON2_PARALLELISM,
      }),
      () => {
        hashes += 1;
      },
    ),
    tokens: makeTokens({
      keyring: keys.keyring,
      issuer: "auth",
      audience: "platform",
      accessTtlMs: config.AUTH_ACCESS_TTL,
      clock,
    }),
    keyring: keys.keyring,
    devices,
    dataKeys: keys.dataKeys,
    reloadKeys: () => Promise.resolve(),
    policy: policyOf(config, quiet),
    settings: settingsOf(config),
    denials: { mayWriteRow: () => true, close: () => Promise.resolve() },
    confirmed: () => undefined,
    attempted: (factor, outcome) => attempts.push(`${factor} ${outcome}`),
    limited: (use, limit) => limited.push(`${use} ${limit}`),
    clientUnknown: (topic) => unknown.push(topic),
    idempotencyTtlMs: config.AUTH_IDEMPOTENCY_TTL,
    clock,
    log: quiet,
    committed: () => undefined,
  };
  const commands = new Map(handlers.map((handler) => [handler.topic as string, busCommand(handler, parts)]));
  const ask: HandlerHarness["ask"] = async (topic, request, options = {}) => {
    const command = commands.get(topic)!;
    const opened = { ...command.requestDefaults, ...request };
    const { device: given } = options;
    const at = { recordKey: command.keyOf(opened) ?? "", at: clock.now() };
    const device = typeof given === "string" ? devices.verify(given, at) : given;
    return (await command.handle(opened, callOf(topic, options, device))) as never;
  };
  return {
    pool,
    env: {
      AUTH_DATABASE_URL: own.url,
      AUTH_MASTER_KEY: master.map(({ kid, key }) => `${kid}:${key.toString("base64")}`).join(),
    },
    url: own.url,
    parts,
    settings: parts.settings,
    dataKeys: keys.dataKeys,
    master,
    commands,
    lanes: parts.lanes,
    hashes: () => hashes,
    attempts,
    limited,
    unknown,
    ask,
    askInTime: (topic, ...asked) => delayUntil(commands.get(topic)!.minResponseMs, () => ask(topic, ...asked)),
    async outcome(topic, request, options) {
      try {
        await ask(topic, request, options);
        return "ok";
      } catch (error) {
        if (error instanceof Refusal) return error.code;
        throw error;
      }
    },
    async tell(topic, body) {
      const handler = legacyHandlers.find((each) => each.topic === topic);
      if (handler === undefined) throw new Error(`nobody reads ${topic}`);
      await runLegacy(parts, handler, body, callOf(topic, {}, undefined));
    },
    mailedTokens: (mails) => mailedTokens(parts, mails),
    setBusy: (value) => {
      busy = value;
    },
    sweep: () =>
      sweep({
        pool,
        log: quiet,
        clock: systemClock,
        dataKeys: keys.dataKeys,
        ttlMs: config.AUTH_UNCONFIRMED_TTL,
        sessionKeepMs: config.AUTH_SESSION_KEEP,
        auditRetentionMs: config.AUTH_AUDIT_RETENTION,
        deviceTtlMs: config.AUTH_KNOWN_DEVICE_TTL,
        settings: parts.settings,
      }),
    beside: (options = {}) => handlerHarness({ env, poolSize, cheapHashes, ...options, database: own }),
    async close() {
      keys.stop();
      await pool.end();
    },
  };
}

const mailRow = z.object({ eventId: z.string(), secret: z.instanceof(Buffer) });

async function mailedTokens(
  { pool, dataKeys }: RunDeps,
  mails: { to: string } | { userId: number },
): Promise<string[]> {
  const [of, address] = "to" in mails ? [null, mails.to] : [mails.userId, undefined];
  const rows = await pool.any(sql.type(mailRow)`
    SELECT event_id AS "eventId", secret FROM outbox
    WHERE topic IN ('auth.mail', 'auth') AND secret IS NOT NULL
      AND (${of}::bigint IS NULL OR COALESCE((body->>'id')::bigint, user_id) = ${of}::bigint) ORDER BY id`); // the platform's say whom they are for
  return rows.flatMap(({ eventId, secret }) => {
    const mail = JSON.parse(String(dataKeys().cipher("outbox").decrypt(secret, eventId))) as {
      to?: string;
      email?: string;
      token?: string;
      sealed?: { token?: string };
    };
    const token = mail.token ?? mail.sealed?.token;
    const wanted = address === undefined || (mail.to ?? mail.email) === address;
    return wanted && token !== undefined ? [token] : [];
  });
}

function callOf(
  topic: string,
  { idempotencyKey = randomBytes(16), recordedAt = systemClock.now(), device: given }: AskOptions,
  device: VerifiedDevice | undefined,
): Call {
  const reply = { topic: "auth.reply.test" };
  return {
    topic,
    headers: {
      reply,
      idempotencyKey,
      device: typeof given === "string" ? given : undefined,
    } as unknown as Call["headers"],
    recordedAt,
    deadline: systemClock.monotonic() + 30_000,
    ...(device && { device }),
  };
}

function refusing(lane: Lane, busy: () => boolean): Lane {
  const run = lane.run.bind(lane);
  lane.run = (deadline, work) =>
    busy() ? Promise.reject(refuse("OVERLOADED", { retryAfterMs: 100 })) : run(deadline, work);
  return lane;
}

function counted(passwords: Passwords, count: () => void): Passwords {
  return {
    ...passwords,
    hash: (password) => {
      count();
      return passwords.hash(password);
    },
    verify: (password, stored) => {
      count();
      return passwords.verify(password, stored);
    },
  };
}

/** An account that can log in, without a mail on the way. */
export async function account(
  { ask, pool }: HandlerHarness,
  password = "the right password",
): Promise<{ login: string; password: string; email: string; id: number }> {
  const login = `u${randomBytes(6).toString("hex")}`;
  const email = `${login}@example.com`;
  const { userId } = await ask("auth.account.register", { login, username: login, email, password });
  const { rows } = await pool.query(
    sql.unsafe`UPDATE users SET confirmed_at = now() WHERE login_key = ${login} RETURNING id`,
  );
  return { login, password, email, id: userId ?? Number((rows[0] as { id: number }).id) };
}
