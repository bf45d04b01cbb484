// Writes a handler's change and the request's answer in one statement (db/commit.ts).
import type { Call } from "../bus/command.ts";
import { uuidv7 } from "../crypto/ids.ts";
import { type Commit, commitOnce } from "../db/commit.ts";
import { findAnswer } from "../db/inbox.ts";
import { demandSession } from "../db/sessions.ts";
import type { Write } from "../db/statements.ts";
import type { Attempts } from "./attempts.ts";
import { auditRows } from "./audit-rows.ts";
import type { ActingSession, Change } from "./context.ts";
import type { RunDeps } from "./deps.ts";
import { AlreadyAnswered, encryptAnswer, inboxKey, type StoredAnswer } from "./inbox.ts";
import { outboxRows } from "./outbox-rows.ts";
import type { Uses } from "./uses.ts";

/** What a run may store about its request. */
export interface RequestStorage {
  /** Absent: the command stores no answer and must not commit. */
  fingerprint: Buffer | undefined;
  ttlMs: number;
  attempts: Attempts | undefined;
  uses: Uses | undefined;
}

export interface AnswerCommit {
  call: Call;
  storing: RequestStorage;
  acting: ActingSession | undefined;
  change: Change;
  answer: StoredAnswer;
}

/** @throws AlreadyAnswered if the request has an answer; AU409 (db/faults.ts) if the data changed since it was read */
export async function commitAnswer(deps: RunDeps, committing: AnswerCommit): Promise<void> {
  const { call, storing } = committing;
  if (storing.fingerprint === undefined)
    throw new Error(`${call.topic} commits, so its handler must say storesAnswer: true`);
  const commit = commitFor(deps, committing, storing.fingerprint);
  if ((await commitOnce(deps.pool, commit)) === "done") {
    storing.attempts?.complete(commit.writes);
    return deps.committed();
  }
  const row = await findAnswer(deps.pool, inboxKey(call));
  if (row === null) throw new Error("the inbox row of a repeated request is gone");
  throw new AlreadyAnswered(row);
}

function commitFor(
  { clock, dataKeys }: RunDeps,
  { call, storing, acting, change, answer }: AnswerCommit,
  fingerprint: Buffer,
): Commit {
  const [key, keys] = [inboxKey(call), dataKeys()];
  const outbox = outboxRows(change, {
    call,
    now: clock.now(),
    uuid: () => uuidv7(clock),
    cipher: keys.cipher("outbox"),
  });
  const outcome = "refusal" in answer ? answer.refusal.code : "ok";
  return {
    inbox: { ...key, fingerprint, reply: encryptAnswer(keys, key, answer), ttlMs: storing.ttlMs },
    lock: change.user?.lock,
    writes: [...(acting === undefined ? [] : [demandActing(acting, change)]), ...(change.writes ?? [])],
    outbox,
    audit: auditRows(outbox, { change, outcome, dataKeys: keys }),
  };
}

/** Runs before all other writes, because the command itself may end the session. */
function demandActing({ sessionId, userId, generation }: ActingSession, { user }: Change): Write {
  if (user?.id !== userId) return demandSession({ sessionId, userId, generation });
  return demandSession({ sessionId, userId, generation: user.deleted ? null : (user.generation ?? generation) });
}
