// Runs handlers: gives each call its context, gives the kept answer to a request that has one, and starts a handler anew whose commit
// found the world changed. This is where "one outcome" is decided: whatever a handler does, its answer is the one in the inbox.

import { mailCount } from "../accounts/mails.ts";
import { type GatedSchema, makeTextGate } from "../bus/avro/text-gate.ts";
import type { BusCommand, Call, Lanes } from "../bus/command.ts";
import { openPersonal, openSubjectKey } from "../crypto/audit.ts";
import type { DeviceTokens } from "../crypto/device-token.ts";
import { type DataKeys, type Purpose, UnknownDataKey } from "../crypto/envelope.ts";
import { uuidv7 } from "../crypto/ids.ts";
import type { Keyring } from "../crypto/keys.ts";
import type { PasswordPolicy } from "../crypto/password-policy.ts";
import type { Passwords } from "../crypto/passwords.ts";
import type { Tokens } from "../crypto/tokens.ts";
import { type Commit, commitOnce } from "../db/commit.ts";
import { changedPart, isDataFault, takenConstraint } from "../db/faults.ts";
import { giveUpLogin } from "../db/given-up-logins.ts";
import { findAnswer, type InboxKey, type InboxRow, readOnly, readWithInbox } from "../db/inbox.ts";
import type { DatabasePool } from "../db/pool.ts";
import { demandSession } from "../db/sessions.ts";
import type { Write } from "../db/statements.ts";
import type { Clock } from "../lib/clock.ts";
import { Refusal, type RefusalCode, refuse } from "../protocol/errors.ts";
import { commandSchemas } from "../protocol/generated/schemas.ts";
import { normalize, type RecordKeyRule, recordKey } from "../protocol/record-key.ts";
import { type SealedField, sealedPaths } from "../protocol/secret-fields.ts";
import type { Logger } from "../runtime/log.ts";
import type { Denials } from "./admin/denials.ts";
import { type AttemptDeps, type Attempts, makeAttempts, rememberedDevice } from "./attempts.ts";
import { auditRow, auditRows } from "./audit-rows.ts";
import { withClient } from "./clients.ts";
import { commitWithoutReply } from "./commit-without-reply.ts";
import type { ActingSession, Context, HandlerPasswords, Settings } from "./context.ts";
import { AlreadyAnswered, type Change, type Proof } from "./context.ts";
import type { Handler, LegacyBody, LegacyHandler } from "./define.ts";
import { fingerprintOf, samenessOf } from "./fingerprint.ts";
import { loginHash } from "./keyed-hash.ts";
import { outboxRows } from "./outbox-rows.ts";
import { makeUses, type UseDeps, type Uses } from "./uses.ts";

export interface RunDeps {
  pool: DatabasePool;
  lanes: Lanes;
  passwords: Passwords;
  policy: PasswordPolicy;
  tokens: Tokens;
  keyring(): Keyring;
  dataKeys(): DataKeys;
  devices: DeviceTokens;
  /** Loads the keys again. */
  reloadKeys(): Promise<void>;
  settings: Settings;
  attempted: AttemptDeps["attempted"];
  /** Counts accounts that were confirmed. */
  confirmed(proof: Proof): void;
  limited: UseDeps["limited"];
  clientUnknown: UseDeps["clientUnknown"];
  denials: Denials;
  idempotencyTtlMs: number;
  clock: Clock;
  log: Logger;
  /** Called after a commit that left something to publish. */
  committed(): void;
}

/** Redelivery of a legacy record must change nothing for as long as the platform's topics keep records. */
const legacyTtlMs = 60 * 86_400_000;
const maxAttempts = 5;

/** The command as the bus sees it. */
export function busCommand(handler: Handler, parts: RunDeps): BusCommand {
  const { request, reply } = commandSchemas[handler.topic] as unknown as CommandSchema;
  const result = reply.fields[0]!.type[0]!;
  const rule = request.recordKey;
  return {
    topic: handler.topic,
    lane: handler.lane,
    ...(handler.laneOf && { laneOf: (opened: object) => handler.laneOf!(opened as never) }),
    storesAnswer: handler.storesAnswer,
    minResponseMs: handler.minResponseMs,
    keyKind: rule?.kind ?? "any",
    sealedFields: { request: sealedPaths(request), reply: sealedPaths(result) },
    texts: makeTextGate(request),
    requestDefaults: Object.fromEntries(
      request.fields.filter((field) => "default" in field).map((field) => [field.name, field.default]),
    ),
    resultName: `${result.namespace}.${result.name}`,
    keyOf: (opened) => recordKey(rule, opened),
    handle: async (opened, call) => once(parts, handler, withClient(opened), call),
    answered: async (call) => (await findAnswer(parts.pool, inboxKeyOf(call))) !== null,
  };
}

interface CommandSchema {
  request: GatedSchema & {
    sealedFields?: SealedField[];
    recordKey?: RecordKeyRule;
    fields: { name: string; type: unknown; default?: unknown }[];
  };
  reply: { fields: { type: { namespace: string; name: string; sealedFields?: SealedField[] }[] }[] };
}

export function inboxKeyOf({ topic, envelope }: Call): InboxKey {
  return { topic, replyTopic: envelope.reply.topic, idempotencyKey: envelope.idempotencyKey };
}

async function once(parts: RunDeps, handler: Handler, request: object, call: Call): Promise<object> {
  const fingerprint = handler.storesAnswer ? fingerprintOf(parts.dataKeys(), request) : undefined;
  const asked = { key: inboxKeyOf(call), call };
  const attempts = fingerprint && makeAttempts(parts, { ...asked, fingerprint });
  const uses = makeUses(parts, asked);
  return repeatedly(parts, call, async () => {
    const ctx = makeContext(parts, call, { fingerprint, ttlMs: parts.idempotencyTtlMs, attempts, uses });
    try {
      return await handler.handle(request as never, ctx);
    } catch (error) {
      if (isBusy(error)) await Promise.all([attempts?.release(), uses.release()]);
      if (isDataFault(error)) throw unstorable(parts, call, error);
      if (!(error instanceof AlreadyAnswered)) throw error;
      // With reads that do not ask the inbox, which has an answer under this key.
      const aside = makeContext(parts, call, {
        fingerprint: undefined,
        ttlMs: 0,
        attempts: undefined,
        uses: undefined,
      });
      const sameness = samenessOf(parts.dataKeys(), error.row.fingerprint, request);
      if (sameness === "renewed") await vouched(handler, request, aside);
      if (sameness !== "other") return answerFrom(parts, error.row, call);
      const guess = await handler.attempt?.(request as never, aside);
      if (guess !== undefined) await attempts?.conflict(guess);
      throw refuse("IDEMPOTENCY_CONFLICT");
    }
  });
}

/** The text gate should have seen it, or the handler. No dead letter: whoever sent it could send as many as they like. */
function unstorable({ log }: RunDeps, { topic }: Call, error: unknown): Refusal {
  log.error({ err: error, topic }, "a request has a value that cannot be stored");
  return refuse("INVALID_INPUT", { message: "The request has a value that cannot be stored." });
}

/** A token that was made anew is judged before the first one's answer is given. @throws Refusal */
async function vouched(handler: Handler, request: object, ctx: Context): Promise<void> {
  if (handler.vouch === undefined) throw refuse("IDEMPOTENCY_CONFLICT");
  await handler.vouch(request as never, ctx);
}

/** The hash lane had no place: whoever comes again must not find a failed attempt, or a use, that was none. */
const isBusy = (error: unknown): boolean =>
  error instanceof Refusal && (error.code === "OVERLOADED" || error.code === "DEADLINE_EXCEEDED");

/** One legacy record, once. */
export async function runLegacy(parts: RunDeps, handler: LegacyHandler, body: LegacyBody, call: Call): Promise<void> {
  const fingerprint = fingerprintOf(parts.dataKeys(), body);
  const keeping = { fingerprint, ttlMs: legacyTtlMs, attempts: undefined, uses: undefined };
  await repeatedly(parts, call, async () => {
    try {
      await handler.handle(body, makeContext(parts, call, keeping));
    } catch (error) {
      if (!(error instanceof AlreadyAnswered)) throw error;
    }
    return {};
  });
}

/**
 * A commit that found the world changed, or a name taken meanwhile, took itself back: the handler reads anew and decides anew. So it does
 * after another process has used a data key that this one had not loaded.
 */
async function repeatedly(parts: RunDeps, call: Call, run: () => Promise<object>): Promise<object> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (error instanceof UnknownDataKey && attempt === 1) {
        await parts.reloadKeys();
        continue;
      }
      const part = changedPart(error) ?? takenConstraint(error);
      if (part === undefined || attempt === maxAttempts) throw error;
      parts.log.debug({ topic: call.topic, part, attempt }, "the world changed between reading and committing");
    }
  }
}

const jwksTexts = new WeakMap<Keyring, string>();

/** A keyring never changes, and every requester asks for it. */
function jwksText(keyring: Keyring): string {
  let text = jwksTexts.get(keyring);
  if (text === undefined) {
    text = JSON.stringify(keyring.jwks());
    jwksTexts.set(keyring, text);
  }
  return text;
}

interface Keeping {
  /** Absent: nothing is kept of this call. */
  fingerprint: Buffer | undefined;
  ttlMs: number;
  attempts: Attempts | undefined;
  uses: Uses | undefined;
}

function makeContext(parts: RunDeps, call: Call, keeping: Keeping): Context {
  const { pool, tokens, settings, policy, clock } = parts;
  const key = inboxKeyOf(call);
  let asked = keeping.fingerprint === undefined;
  let acting: ActingSession | undefined;
  return {
    call,
    settings,
    tokens,
    policy,
    passwords: inLane(parts, call),
    refreshKey: (id) => refreshKey(parts, id),
    mfaBox: () => parts.dataKeys().box("mfa"),
    operatorBox: () => parts.dataKeys().box("operator"),
    passkeyKey: () => oldestKey(parts, "passkey"),
    jwks: () => jwksText(parts.keyring()),
    deviceToken: ({ recordKey, epoch }) => {
      const now = clock.now();
      const given = call.envelope.device;
      const held = given === undefined ? undefined : parts.devices.verify(given, { recordKey, at: now });
      return parts.devices.issue({ recordKey, epoch, now, id: held?.epoch === epoch ? held.id : undefined });
    },
    personalOf: (userId, subjectBox) => {
      const keys = parts.dataKeys();
      const subject = openSubjectKey(keys, userId, subjectBox);
      return (row) => openPersonal(keys, subject, row);
    },
    now: () => clock.now(),
    uuid: () => uuidv7(clock),
    audited: (event, userId) => auditRow(event, { userId, outcome: "ok", dataKeys: parts.dataKeys() }),
    async read(read) {
      if (asked) return readOnly(pool, read);
      const answer = await readWithInbox(pool, key, read);
      if ("kept" in answer) throw new AlreadyAnswered(answer.kept);
      asked = true;
      return answer.row;
    },
    async reserveAttempt(attempt, read) {
      if (keeping.attempts === undefined) throw new Error(`${call.topic} counts, so its handler must say once: true`);
      const answer = await keeping.attempts.reserve(attempt, read);
      asked = true;
      return answer;
    },
    loginHash: (loginKey) => loginHash(parts.dataKeys(), loginKey),
    keepLogin: ({ login, confirmed }) => {
      const forMs = settings.loginQuarantineMs;
      if (!confirmed || forMs === 0) return [];
      return [giveUpLogin(loginHash(parts.dataKeys(), normalize(login)), { userId: null, forMs })];
    },
    mailCount: (kind, email) => mailCount(parts, kind, normalize(email)),
    countConfirmed: parts.confirmed,
    async countUse(using, read) {
      if (keeping.uses === undefined) throw new Error(`${call.topic} serves no client`);
      const answer = await keeping.uses.count(using, read);
      asked = true;
      return answer;
    },
    async countUseAlone(using) {
      if (keeping.uses === undefined) throw new Error(`${call.topic} serves no client`);
      return keeping.uses.countAlone(using);
    },
    rememberDevice: (user, client) => rememberedDevice(parts, user, client),
    actIn(session) {
      acting = session;
    },
    async checkInbox() {
      if (asked) return;
      const row = await findAnswer(pool, key);
      if (row !== null) throw new AlreadyAnswered(row);
      asked = true;
    },
    admitDenial: (actor) => parts.denials.admit(actor),
    async commitAuditOnly(change, code) {
      await commitWithoutReply(parts, change, { outcome: code, traceparent: call.envelope.traceparent });
      parts.committed();
    },
    async commit(change, result) {
      await write(parts, { call, keeping, acting, change, answer: { ok: result } });
      return result;
    },
    async commitRefusal(change, refusal) {
      const { code, message, retryAfterMs, details } = refusal;
      await write(parts, {
        call,
        keeping,
        acting,
        change,
        answer: { refusal: { code, message, retryAfterMs, details } },
      });
      throw refusal;
    },
  };
}

/** What the inbox keeps, encrypted: the result with its secrets in clear, or the refusal. */
type KeptAnswer =
  | { ok: object }
  | {
      refusal: {
        code: RefusalCode;
        message: string;
        retryAfterMs?: number | undefined;
        details: Record<string, string>;
      };
    };

interface Writing {
  call: Call;
  keeping: Keeping;
  acting: ActingSession | undefined;
  change: Change;
  answer: KeptAnswer;
}

async function write(parts: RunDeps, { call, keeping, acting, change, answer }: Writing): Promise<void> {
  const { pool, dataKeys } = parts;
  const key = inboxKeyOf(call);
  if (keeping.fingerprint === undefined) throw new Error(`${call.topic} commits, so its handler must say once: true`);
  const reply = dataKeys()
    .box("inbox")
    .seal(Buffer.from(JSON.stringify(answer)), aadOf(key));
  const outbox = outboxRows(change, {
    call,
    now: parts.clock.now(),
    uuid: () => uuidv7(parts.clock),
    box: dataKeys().box("outbox"),
  });
  const outcome = "refusal" in answer ? answer.refusal.code : "ok";
  const commit: Commit = {
    inbox: { ...key, fingerprint: keeping.fingerprint, reply, ttlMs: keeping.ttlMs },
    subject: change.user?.subject,
    writes: [...(acting === undefined ? [] : [demandActing(acting, change)]), ...(change.writes ?? [])],
    outbox,
    audit: auditRows(outbox, { change, outcome, dataKeys: dataKeys() }),
  };
  if ((await commitOnce(pool, commit)) === "done") {
    keeping.attempts?.settle(commit.writes);
    return parts.committed();
  }
  const row = await findAnswer(pool, key);
  if (row === null) throw new Error("the inbox row of a repeated request is gone");
  throw new AlreadyAnswered(row);
}

/** Stands before all other writes: what they do to the session is done by the command itself. */
function demandActing({ sessionId, userId, generation }: ActingSession, { user }: Change): Write {
  if (user?.id !== userId) return demandSession({ sessionId, userId, generation });
  return demandSession({ sessionId, userId, generation: user.deleted ? null : (user.generation ?? generation) });
}

/** The first answer again. */
function answerFrom(parts: RunDeps, row: InboxRow, call: Call): object {
  const opened = parts
    .dataKeys()
    .box("inbox")
    .open(row.reply, aadOf(inboxKeyOf(call)));
  const answer: KeptAnswer = JSON.parse(opened.toString("utf8"));
  if ("ok" in answer) return answer.ok;
  const { code, message, retryAfterMs, details } = answer.refusal;
  throw new Refusal(code, { message, details, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

function aadOf({ topic, replyTopic, idempotencyKey }: InboxKey): Buffer {
  return Buffer.concat([Buffer.from(`${topic}\n${replyTopic}\n`), idempotencyKey]);
}

function inLane({ lanes, passwords }: RunDeps, call: Call): HandlerPasswords {
  return {
    hash: (password) => lanes.hash.run(call.deadline, () => passwords.hash(password), { permit: call.permit }),
    verify: (password, stored) =>
      lanes.hash.run(call.deadline, () => passwords.verify(password, stored), {
        kind: passwords.costClass(stored),
        permit: call.permit,
      }),
  };
}

function refreshKey(parts: RunDeps, id: number | undefined): { id: number; key: Buffer } {
  const keys = parts.dataKeys();
  return id === undefined ? keys.current("refresh") : keys.get("refresh", id);
}

function oldestKey(parts: RunDeps, purpose: Purpose): Buffer {
  const oldest = parts.dataKeys().all(purpose).at(-1);
  if (oldest === undefined) throw new Error(`there is no data key for ${purpose}: run migrate`);
  return oldest.key;
}
