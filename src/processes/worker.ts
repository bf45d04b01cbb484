// Builds the process `worker`: the consumer of request topics with its lanes and handlers, and the consumer of the
// platform's JSON topics.

import type { Lanes } from "../bus/command.ts";
import { makeCommandStats } from "../bus/command-stats.ts";
import type { DeadLetters } from "../bus/dead-letter-sender.ts";
import { Lane } from "../bus/lanes.ts";
import { uncounted } from "../command/admin/define.ts";
import { makeDenials } from "../command/admin/denials.ts";
import { commitWithoutReply } from "../command/commit-without-reply.ts";
import type { Settings } from "../command/context.ts";
import type { Handler } from "../command/define.ts";
import type { RunDeps } from "../command/deps.ts";
import { busCommand, runLegacy } from "../command/run.ts";
import { globToRegExp } from "../config/kinds.ts";
import type { Config } from "../config/read.ts";
import { breachedFiles } from "../crypto/breached.ts";
import { commonPasswords } from "../crypto/common-passwords.ts";
import { makeDeviceTokens } from "../crypto/device-token.ts";
import { lowerHashPriority } from "../crypto/hash-threads.ts";
import { makePasswordPolicy, type PasswordPolicy } from "../crypto/password-policy.ts";
import { makePasswords, type Passwords } from "../crypto/passwords.ts";
import { makeTokens } from "../crypto/tokens.ts";
import { isTransient } from "../db/faults.ts";
import { notifyRelays } from "../db/outbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import { raiseTokenLife } from "../db/token-life.ts";
import { handlers } from "../handlers/index.ts";
import { agreedClock } from "../kafka/broker-clock.ts";
import type { KafkaPort } from "../kafka/kafka.ts";
import type { FleetKeys } from "../keys/fleet-keys.ts";
import { consumeLegacy } from "../legacy/consumer.ts";
import { legacyHandlers } from "../legacy/handlers.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { asError } from "../lib/errors.ts";
import { untilAnswered } from "../runtime/lifecycle.ts";
import type { Logger } from "../runtime/log.ts";
import { holdCommands } from "./claim.ts";
import { fleetMember } from "./fleet-report.ts";
import {
  brokerClockOf,
  codecOf,
  deadLettersOf,
  kafkaOf,
  keysOf,
  type ProcessContext,
  poolOf,
  type Running,
} from "./parts.ts";
import { pulseOf, serveRequests } from "./serving.ts";

export function settingsOf(config: Config): Settings {
  return {
    issuer: config.AUTH_ISSUER,
    accessTtlMs: config.AUTH_ACCESS_TTL,
    refreshTtlMs: config.AUTH_REFRESH_TTL,
    refreshIdleMs: config.AUTH_REFRESH_IDLE,
    refreshGraceMs: config.AUTH_REFRESH_GRACE,
    cookieMaxAgeMs: config.AUTH_COOKIE_MAX_AGE,
    sessionsMax: config.AUTH_SESSIONS_MAX,
    confirmTtlMs: config.AUTH_CONFIRM_TTL,
    resetTtlMs: config.AUTH_RESET_TTL,
    loginQuarantineMs: config.AUTH_LOGIN_QUARANTINE,
    mailsPerHour: config.AUTH_MAILS_PER_HOUR,
    mailLocale: config.AUTH_MAIL_LOCALE,
    hideEmail: config.AUTH_HIDE_EMAIL,
    legacyTopics: config.AUTH_LEGACY_TOPICS,
    attempts: {
      free: config.AUTH_ATTEMPTS_FREE,
      accountFree: config.AUTH_ATTEMPTS_ACCOUNT_FREE,
      delayMs: config.AUTH_ATTEMPTS_DELAY,
      delayMaxMs: config.AUTH_ATTEMPTS_DELAY_MAX,
      accountDelayMaxMs: config.AUTH_ATTEMPTS_ACCOUNT_DELAY_MAX,
      most: config.AUTH_ATTEMPTS_MAX,
      deviceTtlMs: config.AUTH_KNOWN_DEVICE_TTL,
      devices: config.AUTH_KNOWN_DEVICES,
    },
    confirmWithoutProof: config.AUTH_CONFIRM_WITHOUT_PROOF,
    uses: {
      network: {
        password: config.AUTH_NETWORK_PASSWORDS,
        code: config.AUTH_NETWORK_CODES,
        link: config.AUTH_NETWORK_LINKS,
        register: config.AUTH_NETWORK_REGISTRATIONS,
        mail: config.AUTH_NETWORK_MAILS,
        passkey: config.AUTH_NETWORK_PASSKEYS,
      },
      wide: config.AUTH_NETWORK_WIDE,
      fleet: config.AUTH_FLEET_PASSWORDS,
    },
    challengeTtlMs: config.AUTH_CHALLENGE_TTL,
    stepUpMaxAgeMs: config.AUTH_STEP_UP_MAX_AGE,
    product: config.AUTH_PRODUCT,
    party: { id: config.AUTH_RP_ID, name: config.AUTH_PRODUCT, origins: config.AUTH_RP_ORIGINS },
  };
}

/** Configured by AUTH_ARGON2_* and AUTH_PEPPER. */
export function passwordsOf(config: Config, log: Logger): Passwords {
  return makePasswords(
    {
      memoryKiB: config.AUTH_ARGON2_MEMORY,
      time: config.AUTH_ARGON2_TIME,
      parallelism: config.AUTH_ARGON2_PARALLELISM,
    },
    { peppers: config.AUTH_PEPPER, report: (problem) => log.warn(problem) },
  );
}

export function policyOf(config: Config, log: Logger): PasswordPolicy {
  const folder = config.AUTH_BREACHED_PASSWORDS;
  return makePasswordPolicy({
    min: config.AUTH_PASSWORD_MIN,
    common: commonPasswords(),
    words: [config.AUTH_PRODUCT, ...config.AUTH_PASSWORD_WORDS],
    breached:
      folder === undefined ? () => Promise.resolve(false) : breachedFiles(folder, (problem) => log.warn(problem)),
  });
}

/** The commands that AUTH_TOPICS selects: any glob matches, no !glob does. */
export function served(globs: string[]): Handler[] {
  const chosen = globs.filter((glob) => !glob.startsWith("!")).map(globToRegExp);
  const left = globs.filter((glob) => glob.startsWith("!")).map((glob) => globToRegExp(glob.slice(1)));
  const all = chosen.length === 0;
  return handlers.filter(
    ({ topic }) => (all || chosen.some((glob) => glob.test(topic))) && !left.some((glob) => glob.test(topic)),
  );
}

export async function startWorker(context: ProcessContext): Promise<Running> {
  const { config, log, lifecycle } = context;
  const clock = context.clock ?? systemClock;
  const { broker: brokerClock } = brokerClockOf(context);
  const kafka = kafkaOf(config, "worker", log, { appended: brokerClock.sample, metrics: context.metrics });
  lifecycle.onStop(() => kafka.close());
  const pool = await poolOf(context, "worker");
  const keys = await keysOf(context, pool);
  const passwords = passwordsOf(config, log);
  const policy = policyOf(config, log);
  const hashCost = await passwords.calibrate(clock);
  lowerHashPriority();
  const lanes = lanesOf(context, { hashCost, monotonic: clock.monotonic });
  const devices = makeDeviceTokens(keys.dataKeys, config.AUTH_KNOWN_DEVICE_TTL);
  await tellTokenLife(context, pool);
  // Other machines judge sessions and tokens too.
  const agreed = agreedClock(clock, brokerClock);
  const run = runPartsOf(context, { pool, keys, devices, lanes, passwords, policy, clock: agreed });
  const commands = served(config.AUTH_TOPICS).map((handler) => busCommand(handler, run));
  if (commands.length === 0) throw new Error("AUTH_TOPICS leaves no command to serve.");
  const codec = await codecOf(context, pool);
  const member = fleetMember(context, {
    kafka,
    processName: "worker",
    commands: commands.map((command) => command.topic),
  });
  const claim = { commands: commands.map((command) => command.topic), group: config.AUTH_GROUP, process: member.id };
  await holdCommands(context, pool, claim);
  await member.announce();
  const commandStats = makeCommandStats(clock.monotonic);
  const deadLetters = deadLettersOf(context, kafka);
  const consumer = serveRequests(context, {
    kafka,
    codec,
    commands,
    lanes,
    keys,
    devices,
    clock,
    brokerClock,
    commandStats,
    deadLetters,
  });
  member.start(() => pulseOf(consumer, { commands, lanes, commandStats }));
  const legacy = config.AUTH_LEGACY_TOPICS ? startLegacy(context, { kafka, run, clock, deadLetters }) : undefined;
  log.info({ hashCostMs: Math.round(hashCost), commands: commands.map((command) => command.topic) }, "worker started");
  return {
    ready: () => [
      ...(consumer.healthy ? [] : [{ name: "kafka", reason: "not a member of the consumer group" }]),
      ...(legacy === undefined || legacy.healthy
        ? []
        : [{ name: "legacy", reason: "not a member of the group auth_service" }]),
    ],
  };
}

/** Before the first token is issued: verifiers keep revocations as long as the longest lifetime ever. */
async function tellTokenLife({ config, log, lifecycle }: ProcessContext, pool: DatabasePool): Promise<void> {
  const { AUTH_ACCESS_TTL: lifeMs } = config;
  const waiting = { what: "PostgreSQL", isTransient, log, signal: lifecycle.stopping };
  const { raised } = await untilAnswered(() => raiseTokenLife(pool, lifeMs), waiting);
  if (raised)
    log.warn(
      "AUTH_ACCESS_TTL is longer than any before: run migrate, or auth.revocation forgets too early for new readers",
    );
}

function lanesOf(
  { config, metrics }: ProcessContext,
  { hashCost, monotonic }: { hashCost: number; monotonic: () => number },
): Lanes {
  const demand = metrics.counter(
    "auth_hash_demand_seconds_total",
    "What password hashes that were asked for cost, whether they were made or refused for overload.",
  );
  return {
    hash: new Lane(
      {
        width: config.AUTH_HASH_THREADS,
        queueTarget: config.AUTH_HASH_QUEUE_TARGET,
        cost: hashCost,
        demanded: (ms) => demand.inc(ms / 1000),
      },
      monotonic,
    ),
    db: new Lane({ width: config.AUTH_DATABASE_POOL }, monotonic),
    cheap: new Lane({ width: 4 * config.AUTH_DATABASE_POOL }, monotonic),
  };
}

type Built = Pick<RunDeps, "pool" | "devices" | "lanes" | "passwords" | "policy" | "clock"> & { keys: FleetKeys };

function runPartsOf(
  { config, log, metrics, lifecycle }: ProcessContext,
  { pool, keys, devices, lanes, passwords, policy, clock }: Built,
): RunDeps {
  const tokens = makeTokens({
    keyring: keys.keyring,
    issuer: config.AUTH_ISSUER,
    audience: config.AUTH_AUDIENCE,
    accessTtlMs: config.AUTH_ACCESS_TTL,
    clock,
  });
  const attempts = metrics.counter("auth_attempts_total", "Attempts at passwords and codes.", ["factor", "outcome"]);
  const limited = metrics.counter("auth_limited_total", "Requests refused by a limit across accounts.", [
    "use",
    "limit",
  ]);
  const unknown = metrics.counter(
    "auth_client_unknown_total",
    "Requests that limits by network could not count, since they did not say whom they serve (client.ip).",
    ["topic"],
  );
  const confirmations = metrics.counter(
    "auth_accounts_confirmed_total",
    "Accounts confirmed, by what proved it beside the link: secret, password or none (AUTH_CONFIRM_WITHOUT_PROOF).",
    ["proof"],
  );
  const denials = makeDenials({
    tell: (actor, more) => commitWithoutReply({ pool, clock, dataKeys: keys.dataKeys }, uncounted(actor, more)),
    failed: (error) => log.warn({ err: asError(error) }, "how many administrative attempts were refused is not noted"),
  });
  lifecycle.onStop(() => denials.close());
  return {
    pool,
    devices,
    lanes,
    passwords,
    policy,
    denials,
    attempted: (factor, outcome) => attempts.inc({ factor, outcome }),
    confirmed: (proof) => confirmations.inc({ proof }),
    limited: (use, limit) => limited.inc({ use, limit }),
    clientUnknown: (topic) => unknown.inc({ topic }),
    tokens,
    clock,
    log,
    keyring: keys.keyring,
    dataKeys: keys.dataKeys,
    reloadKeys: keys.reload,
    settings: settingsOf(config),
    idempotencyTtlMs: config.AUTH_IDEMPOTENCY_TTL,
    committed: coalesced(() => notifyRelays(pool), log),
  };
}

/** One notification covers all commits within this time, ms: relays wait that long anyway (relay/relay.ts). */
const notifyEveryMs = 10;

/** Notifies at once, then once for all commits meanwhile. A lost notification only delays the relay until it polls. */
function coalesced(notify: () => Promise<void>, log: Logger): () => void {
  let busy = false;
  let again = false;
  const go = (): void => {
    busy = true;
    again = false;
    notify()
      .catch((error: unknown) => log.debug({ err: asError(error) }, "relays could not be notified"))
      .finally(() => {
        const rest = setTimeout(() => {
          busy = false;
          if (again) go();
        }, notifyEveryMs);
        rest.unref();
      });
  };
  return () => {
    again = busy;
    if (!busy) go();
  };
}

function startLegacy(
  { log, metrics, lifecycle }: ProcessContext,
  { kafka, run, clock, deadLetters }: { kafka: KafkaPort; run: RunDeps; clock: Clock; deadLetters: DeadLetters },
) {
  const records = metrics.counter("auth_legacy_records_total", "Records of the platform's JSON topics.", [
    "topic",
    "outcome",
  ]);
  const legacy = consumeLegacy({
    kafka,
    handlers: legacyHandlers,
    run: (handler, body, call) => runLegacy(run, handler, body, call),
    deadLetters,
    isTransient: isTransient,
    log,
    now: clock.now,
    observe: (topic, outcome) => records.inc({ topic, outcome }),
  });
  lifecycle.onStop(() => legacy.close());
  return legacy;
}
