// Runs handlers: gives each run its context, returns the stored answer to a repeated request, and runs a handler again
// when its commit finds changed data. This is where "one outcome" is decided: whatever a handler does, the answer is
// the one in the inbox.

import { type GatedSchema, makeTextGate } from "../bus/avro/text-gate.ts";
import type { BusCommand, Call } from "../bus/command.ts";
import { UnknownDataKey } from "../crypto/envelope.ts";
import { changedPart, isDataFault, takenConstraint } from "../db/faults.ts";
import { findAnswer, type InboxRow } from "../db/inbox.ts";
import { Refusal, refuse } from "../protocol/errors.ts";
import { commandSchemas } from "../protocol/generated/schemas.ts";
import { type RecordKeyRule, recordKey } from "../protocol/record-key.ts";
import { type SealedField, sealedPaths } from "../protocol/secret-fields.ts";
import { type Attempts, makeAttempts } from "./attempts.ts";
import { makeContext } from "./capabilities.ts";
import { withClient } from "./clients.ts";
import type { RequestStorage } from "./commit.ts";
import type { Capability, Context } from "./context.ts";
import { type Handler, type LegacyBody, type LegacyHandler, legacyNeeds } from "./define.ts";
import type { RunDeps } from "./deps.ts";
import { compareFingerprint, requestFingerprint } from "./fingerprint.ts";
import { AlreadyAnswered, inboxKey, repeatAnswer } from "./inbox.ts";
import { makeUses } from "./uses.ts";

/** As long as the platform's topics retain records: a redelivered record must change nothing. */
const legacyTtlMs = 60 * 86_400_000;
const maxRounds = 5;

/** The command as the bus sees it. */
export function busCommand(handler: Handler, deps: RunDeps): BusCommand {
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
    handle: async (opened, call) => runWithInbox(deps, handler, withClient(opened), call),
    answered: async (call) => (await findAnswer(deps.pool, inboxKey(call))) !== null,
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

async function runWithInbox(deps: RunDeps, handler: Handler, request: object, call: Call): Promise<object> {
  const fingerprint = handler.storesAnswer ? requestFingerprint(deps.dataKeys(), request) : undefined;
  const asked = { key: inboxKey(call), call };
  const attempts = fingerprint && makeAttempts(deps, { ...asked, fingerprint });
  const uses = makeUses(deps, asked);
  const storing = { fingerprint, ttlMs: deps.idempotencyTtlMs, attempts, uses };
  return retryWhenChanged(deps, call, async () => {
    const ctx = makeContext(deps, { call, storing }, handler.needs ?? []);
    try {
      return await handler.handle(request as never, ctx);
    } catch (error) {
      if (isBusy(error)) await Promise.all([attempts?.release(), uses.release()]);
      if (isDataFault(error)) throw notStorable(deps, call, error);
      if (!(error instanceof AlreadyAnswered)) throw error;
      return answerAgain(deps, handler, { request, call, attempts, row: error.row });
    }
  });
}

const nothingStored: RequestStorage = { fingerprint: undefined, ttlMs: 0, attempts: undefined, uses: undefined };

interface RepeatedRequest {
  request: object;
  call: Call;
  attempts: Attempts | undefined;
  /** The inbox row with the stored answer. */
  row: InboxRow;
}

/** Repeats the answer to the same request; a different request under its key is a conflict. @throws Refusal */
async function answerAgain(deps: RunDeps, handler: Handler, { request, call, attempts, row }: RepeatedRequest) {
  // Its reads must not look into the inbox: they would find the answer that this is about.
  const ctx = makeContext(deps, { call, storing: nothingStored }, handler.needs ?? []);
  const sameness = compareFingerprint(deps.dataKeys(), row.fingerprint, request);
  if (sameness === "renewed") await verifyNewToken(handler, request, ctx);
  if (sameness !== "other") return repeatAnswer(deps.dataKeys(), inboxKey(call), row);
  const guess = await handler.attempt?.(request as never, ctx);
  if (guess !== undefined) await attempts?.conflict(guess);
  throw refuse("IDEMPOTENCY_CONFLICT");
}

/**
 * The text check or the handler should have refused this. It is no dead letter, because a caller could cause any number
 * of them.
 */
function notStorable({ log }: RunDeps, { topic }: Call, error: unknown): Refusal {
  log.error({ err: error, topic }, "a request has a value that cannot be stored");
  return refuse("INVALID_INPUT", { message: "The request has a value that cannot be stored." });
}

/** Verifies an actor token that was signed anew, before the stored answer is returned. @throws Refusal */
async function verifyNewToken(handler: Handler, request: object, ctx: Context<Capability>): Promise<void> {
  if (handler.verifyActor === undefined) throw refuse("IDEMPOTENCY_CONFLICT");
  await handler.verifyActor(request as never, ctx);
}

/** The hash lane refused: the attempt and the use are released, so that a retry is not counted twice. */
const isBusy = (error: unknown): boolean =>
  error instanceof Refusal && (error.code === "OVERLOADED" || error.code === "DEADLINE_EXCEEDED");

/** Handles one legacy record, once. */
export async function runLegacy(deps: RunDeps, handler: LegacyHandler, body: LegacyBody, call: Call): Promise<void> {
  const fingerprint = requestFingerprint(deps.dataKeys(), body);
  const storing = { fingerprint, ttlMs: legacyTtlMs, attempts: undefined, uses: undefined };
  await retryWhenChanged(deps, call, async () => {
    try {
      await handler.handle(body, makeContext(deps, { call, storing }, legacyNeeds));
    } catch (error) {
      if (!(error instanceof AlreadyAnswered)) throw error;
    }
    return {};
  });
}

/**
 * A commit that finds changed data, or a name that was taken meanwhile, is rolled back, and the handler runs again on
 * what is true now. The same happens after reading something encrypted with a data key that this process has not
 * loaded.
 */
async function retryWhenChanged(deps: RunDeps, call: Call, run: () => Promise<object>): Promise<object> {
  for (let round = 1; ; round += 1) {
    try {
      return await run();
    } catch (error) {
      if (error instanceof UnknownDataKey && round === 1) {
        await deps.reloadKeys();
        continue;
      }
      const part = changedPart(error) ?? takenConstraint(error);
      if (part === undefined || round === maxRounds) throw error;
      deps.log.debug({ topic: call.topic, part, round }, "the data changed between reading and committing");
    }
  }
}
