// Mechanisms that can be switched off, one at a time, in a process that a test starts: the control of a test that says
// "it does not happen". Each fault rewrites one line of one module of src as that module is loaded (sabotage.ts); src
// itself knows nothing of it. A line that is not there any more, or is there twice, ends the process at its start: no
// control passes because it did nothing.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { endingFaults } from "../endings/faults.ts";
import type { Fault } from "./fault.ts";

const counted = (stage: string): string =>
  `{ const counts = ((globalThis as any).counted ??= {}); counts.${stage} = (counts.${stage} ?? 0) + 1; }`;

/**
 * Whether a fault counts now: always, or where the process has a set `off` in its global scope, those that are in it.
 */
const isOn = (name: string): string => `((globalThis as { off?: Set<string> }).off?.has("${name}") ?? true)`;

export const faults = {
  ...endingFaults,
  /** Every process remembers for itself alone which requests have their answer. */
  "no-inbox": {
    module: "command/inbox.ts",
    line: "return { topic, replyTopic: headers.reply.topic, idempotencyKey: headers.idempotencyKey };",
    instead:
      "return { topic, replyTopic: headers.reply.topic, idempotencyKey: Buffer.concat([headers.idempotencyKey, Buffer.from(String(process.pid))]) };",
  },
  /** A record counts as done when it is handed over, as with a library's own automatic commits. */
  "early-commit": {
    module: "bus/offset-tracker.ts",
    line: "    return this.#committable === this.#committed ? undefined : this.#committable;",
    instead: "    return this.#next === this.#committed ? undefined : this.#next;",
  },
  /** What was finished last is committed, whatever before it is still open. */
  "gaps-committed": {
    module: "bus/offset-tracker.ts",
    line: "      if (!done) break;",
    instead: "      if (!done) continue;",
  },
  /** A reply that no broker takes now is given up. */
  "reply-given-up": {
    module: "bus/replies.ts",
    line: "else if (!isOurs.has(error.kind)) return giveUp(record, error.kind);",
    instead: "else return giveUp(record, error.kind);",
  },
  /** No fault of the database is worth another try, or a code that says so. */
  "no-retry": {
    module: "db/faults.ts",
    line: "export function isTransient(error: unknown): boolean {",
    instead: "export function isTransient(error: unknown): boolean { return false;",
  },
  /** Who waits for a connection waits in the driver's own queue. */
  "driver-queue": {
    module: "db/pool.ts",
    line: "  return inTurn(pool, size);",
    instead: "  void inTurn; return pool;",
  },
  /** Rows are marked as published, and are published a second later. */
  "marked-first": {
    module: "db/outbox.ts",
    line: "    await publish(rows);",
    instead:
      "    void new Promise((later) => setTimeout(later, 1000)).then(() => publish(rows)).catch(() => undefined);",
  },
  /** The outbox alone says up to when revocations are published, whatever transactions are under way. */
  "marks-by-outbox": {
    module: "db/revocations.ts",
    line: `    SELECT pg_snapshot_xmin(pg_current_snapshot()) >= \${transaction}::xid8 AS ended,`,
    instead: `    SELECT \${${isOn("marks-by-outbox")}} OR pg_snapshot_xmin(pg_current_snapshot()) >= \${transaction}::xid8 AS ended,`,
  },
  /** What has been committed counts as published: some relay will. */
  "marks-unpublished": {
    module: "db/revocations.ts",
    line: "WHERE published_at IS NULL AND topic = 'auth.revocation' AND id <=",
    instead: `WHERE NOT \${${isOn("marks-unpublished")}} AND published_at IS NULL AND topic = 'auth.revocation' AND id <=`,
  },
  /** The database's clock is ten minutes ahead. */
  "database-ahead": {
    module: "db/revocations.ts",
    line: "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint AS at,",
    instead: `floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint + CASE WHEN \${${isOn("database-ahead")}} THEN 600000 ELSE 0 END AS at,`,
  },
  /** A mark has the database's time, whatever the broker's clock says. */
  "marks-by-database": {
    module: "relay/as-of.ts",
    line: "  const marks = before.map((brokerTime) => Math.min(at, brokerTime));",
    instead: `  const marks = before.map((brokerTime) => (${isOn("marks-by-database")} ? at : Math.min(at, brokerTime)));`,
  },
  /** What is committed is published some time later. */
  "relay-gathers-long": {
    module: "relay/relay.ts",
    line: "const gatherMs = 10;",
    instead: "const gatherMs = 2500;",
  },
  /** A relay that hangs keeps the lock of the marks for 2 s, not for 10. */
  "lock-kept-2s": {
    module: "db/revocations.ts",
    line: "SET idle_session_timeout = '10s'",
    instead: "SET idle_session_timeout = '2s'",
  },
  /** Times that other machines judge are this machine's. */
  "own-time": {
    module: "processes/worker.ts",
    line: "  const agreed = agreedClock(clock, brokerClock);",
    instead: "  const agreed = clock; void agreedClock;",
  },
  /** Whoever stops does not tell the group. */
  "silent-leave": {
    module: "kafka/supervisor.ts",
    line: "    const inTime = await settledWithin(closeMs, async () => last?.consumer?.close());",
    instead: "    const inTime = last !== undefined;",
  },
  /** The machine's own clock is taken for the broker's. */
  "own-clock": {
    module: "kafka/broker-clock.ts",
    line: "    now: () => clock.now() - skew(),",
    instead: "    now: () => clock.now(),",
  },
  /** A device token gives no place in any queue. */
  "no-kept-places": {
    module: "bus/responder.ts",
    line: "    const device = this.#verifiedDevice(record, headers);",
    instead: "    this.#verifiedDevice(record, headers); const device = undefined;",
  },
  /** Something of each reply stays in memory. */
  "replies-kept": {
    module: "bus/replies.ts",
    line: "      await sender.send(record);",
    instead:
      "      ((globalThis as { kept?: Buffer[] }).kept ??= []).push(Buffer.alloc(100_000, 1)); await sender.send(record);",
  },
  /** What a phase of a call waits for is begun before it is known whether the call is over. */
  "begun-at-once": {
    module: "client/connect.ts",
    line: "    signal?.throwIfAborted();",
    instead: "    const begun = run(); run = () => begun; signal?.throwIfAborted();",
  },
  /** A call keeps its hold on the caller's signal. */
  "signal-kept": {
    module: "client/connect.ts",
    line: '      signal?.removeEventListener("abort", abort);',
    instead: "",
  },
  /** close() ends only the calls that wait for a reply. */
  "close-waits": {
    module: "client/connect.ts",
    line: "    this.#closed.abort();",
    instead: "",
  },
  /** A call that ends keeps its place among those that wait. */
  "call-kept": {
    module: "bus/pending-calls.ts",
    line: "    this.#calls.delete(id);",
    instead: "",
  },
  /** A reply counts whoever made it. */
  "no-mac": {
    module: "client/replies.ts",
    line: "  const isTrusted = isUnsealed || reply.authentic;",
    instead: "  const isTrusted = isUnsealed || reply !== undefined;",
  },
  /** A mail goes wherever its record says, whatever its seal says. */
  "mail-for-anybody": {
    module: "mail/mail-record.ts",
    line: "  checkBound(mail, inside);",
    instead: "  void [checkBound, mail];",
  },
  /** A record of auth.key counts however late it comes. */
  "late-keys": {
    module: "client/key-feed.ts",
    line: "    if (before === undefined ? !this.#mayAdd(kid, next) : isLate(next, before)) return;",
    instead: "    if (before === undefined && !this.#mayAdd(kid, next)) return; void isLate;",
  },
  /** The word that a key is gone is the last of its version. */
  "gone-for-ever": {
    module: "client/key-feed.ts",
    line: "  return before.key === undefined && next.key !== undefined ? next.at <= before.at : next.at < before.at;",
    instead: "  return before.key === undefined || next.at < before.at;",
  },
  /** A seal fits every reply topic. */
  "no-rpt": {
    module: "bus/seal/seal.ts",
    line: '  if (rpt !== replyTopic) throw broken("rpt", "sealed: for another reply topic");',
    instead: "  void [rpt, replyTopic];",
  },
  /** Binary keys are compared as text, in which many of their bytes are the same. */
  "lossy-jti": {
    module: "bus/headers.ts",
    line: '  return isText(key) && !text.startsWith(binaryMark) ? text : binaryMark + key.toString("base64url");',
    instead: '  void [text, binaryMark]; return key.toString("utf8");',
  },
  /** What is sealed need not be known again. */
  "no-key-needed": {
    module: "bus/seal/seal.ts",
    line: "  if (request.idempotencyKey === undefined) throw keyless((request.headers ?? plainNames).idempotencyKey);",
    instead: "  void keyless;",
  },
  /** Every request that was opened is written to the log, past the redaction. */
  "request-shown": {
    module: "bus/execute.ts",
    line: "    checkKey(record, command, request);",
    instead: '    checkKey(record, command, request); process.stdout.write(JSON.stringify(request) + "\\n");',
  },
  /** However much a batch unpacks to, it is unpacked. */
  "unpacked-without-bound": {
    module: "kafka/record-batch.ts",
    line: "    const bytes = await unpack(codec, batch.body, reading.maxBytes);",
    instead: "    const bytes = await unpack(codec, batch.body, 2 ** 31);",
  },
  /** Counts and lengths in Avro are believed. */
  "avro-believed": { module: "bus/avro/codec.ts", line: "      walk(value);", instead: "      void walk;" },
  /** A schema is read whatever subject it is a version of. */
  "any-subject": {
    module: "bus/avro/schema-store.ts",
    line: "      return subjects.includes(subject) ? schemaOf(id) : undefined;",
    instead: "      return subjects.length > 0 ? schemaOf(id) : undefined;",
  },
  /** Texts are not looked at before a request is opened, and after it. */
  "texts-before-unchecked": {
    module: "bus/avro/text-gate.ts",
    line: '    checkRecord: (record) => clear(record, ""),',
    instead: "    checkRecord: () => undefined,",
  },
  "texts-unchecked": {
    module: "bus/avro/text-gate.ts",
    line: "    checkRequest(request) {",
    instead: "    checkRequest(request) { if (request !== undefined) return;",
  },
  /** What PostgreSQL cannot store counts as a fault of ours. */
  "values-ours": {
    module: "db/faults.ts",
    line: '    if (typeof code === "string" && /^22[0-9A-Z]{3}$/.test(code)) return true;',
    instead: "    void code;",
  },
  /** Not off but counted (watch.ts): how far requests get. */
  "count-decode": {
    module: "bus/execute.ts",
    line: "  const clear = await parts.codec.decode(requestSubject(command.topic), record.value);",
    instead: `  const clear = await parts.codec.decode(requestSubject(command.topic), record.value); ${counted("decode")}`,
  },
  "count-open": {
    module: "bus/execute.ts",
    line: "    command.texts.checkRequest(request);",
    instead: `    if (command.sealedFields.request.length > 0) ${counted("open")} command.texts.checkRequest(request);`,
  },
  "count-handler": {
    module: "bus/execute.ts",
    line: "    const lane = command.laneOf?.(request) ?? command.lane;",
    instead: `    const lane = command.laneOf?.(request) ?? command.lane; ${counted("handler")}`,
  },
  "count-commit": {
    module: "db/commit.ts",
    line: '  return result.done ? "done" : "repeated";',
    instead: `  ${counted("commit")} return result.done ? "done" : "repeated";`,
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;

const preload = (file: string, query: string): string[] => [
  "--import",
  `${pathToFileURL(join(import.meta.dirname, file)).href}?${query}`,
];

/** Arguments for Node that switch these mechanisms off. */
export function without(...names: FaultName[]): string[] {
  return preload("sabotage.ts", names.join());
}

/** Arguments for Node that let a process be watched, and how far requests get in it. */
export function watched(...names: FaultName[]): string[] {
  return [
    ...preload("watch.ts", ""),
    ...without("count-decode", "count-open", "count-handler", "count-commit", ...names),
  ];
}

/** Arguments for Node that set a process's clock forward, or back. */
export function clockOff(ms: number): string[] {
  return preload("skew.ts", String(ms));
}
