// The connection pool, through slonik. Defaults that cost or hide something are off: DISCARD ALL after each query is a
// second round trip, and five silent retries would make an outage look like slowness. Every row is parsed by its
// query's zod schema.
import {
  createPool,
  createTimestampWithTimeZoneTypeParser,
  type DatabasePool,
  type Interceptor,
  SchemaValidationError,
} from "slonik";
import { readDatabaseAddress, slonikUrl } from "../lib/database-address.ts";

export type { CommonQueryMethods, DatabasePool } from "slonik";

export interface PoolOptions {
  url: string;
  size: number;
  applicationName: string;
  /** Default 10 s: the server cancels a statement that takes longer. */
  statementTimeoutMs?: number;
}

/** Idle connections to keep; the driver opens them itself, in addition to those in use. */
const kept = 2;
const connectTimeoutMs = 3000;

/** The most prepared texts per connection; the whole service has some 50. */
const maxPrepared = 500;

/**
 * Statements are prepared and planned once per connection, for all values: planning took more than half of a refresh's
 * two statements (PostgreSQL 18, CPU per refresh: 1,400 us unprepared, 830 prepared with plans by value, 600 so; a
 * session's row: 285, 76, 76). Such a plan must not depend on the tables' current size, so every statement has an index
 * and uses it.
 */
const session = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off";

/** @throws Error where the database does not answer */
export async function openPool(options: PoolOptions): Promise<DatabasePool> {
  const { url, size, applicationName, statementTimeoutMs = 10_000 } = options;
  const address = readDatabaseAddress(url);
  const { tls } = address;
  const named = slonikUrl({
    ...address,
    applicationName: address.applicationName ?? applicationName,
    options: `${session} ${address.options ?? ""}`.trim(), // the last setting of a name counts
  });
  const pool = await createPool(named, {
    ...(tls && { ssl: tls }),
    captureStackTrace: false,
    connectionRetryLimit: 0,
    queryRetryLimit: 0,
    transactionRetryLimit: 0,
    connectionTimeout: connectTimeoutMs,
    statementTimeout: statementTimeoutMs,
    idleTimeout: "DISABLE_TIMEOUT",
    maximumPoolSize: size + kept,
    minimumPoolSize: kept,
    resetConnection: () => Promise.resolve(),
    typeParsers: [{ name: "int8", parse: wholeNumber }, createTimestampWithTimeZoneTypeParser()],
    interceptors: [prepared(), parseRows],
  });
  return inTurn(pool, size);
}

const taking = new Set<string | symbol>([
  ...["any", "anyFirst", "connect", "exists", "many", "manyFirst", "maybeOne", "maybeOneFirst", "one", "oneFirst"],
  ...["query", "stream", "transaction"],
]);

/**
 * Callers wait for a connection here, in a queue without a bound, and not in slonik's: when connecting fails, slonik
 * leaves its queue waiting for a connection that is released later (slonik#631). With the database away, 10 of 20
 * requests were UNAVAILABLE after 3 s and 10 were never answered.
 */
function inTurn(pool: DatabasePool, width: number): DatabasePool {
  const waiting: (() => void)[] = [];
  let running = 0;
  const turn = async (work: () => unknown): Promise<unknown> => {
    if (running < width) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift(); // passes this turn to the next caller
      if (next === undefined) running -= 1;
      else next();
    }
  };
  return new Proxy(pool, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function" || !taking.has(name)) return value;
      return (...given: unknown[]) => turn(() => Reflect.apply(value, target, given));
    },
  });
}

/** Ids and counts are far below 2^53; a larger number must not be rounded silently. */
function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond 2^53`);
  return value;
}

/**
 * Names each statement text, so that each connection keeps it parsed and planned. slonik passes the text on to `pg`,
 * which accepts {text, name} in its place; values are passed separately. There are few texts, because values are never
 * part of one.
 */
function prepared(): Interceptor {
  const statements = new Map<string, { text: string; name: string }>();
  const named = (text: string): { text: string; name: string } | undefined => {
    const known = statements.get(text);
    if (known !== undefined || statements.size >= maxPrepared) return known;
    const statement = { text, name: `auth_${statements.size}` };
    statements.set(text, statement);
    return statement;
  };
  return {
    name: "prepare",
    transformQuery: (_context, query) => ({ ...query, sql: (named(query.sql) ?? query.sql) as string }),
  };
}

const parseRows: Interceptor = {
  name: "parse rows",
  transformRow: (context, query, row) => {
    if (context.resultParser === undefined) return row;
    const parsed = context.resultParser["~standard"].validate(row);
    if (parsed instanceof Promise) throw new TypeError("the schema of a row must not be asynchronous");
    if (parsed.issues !== undefined) throw new SchemaValidationError(query, row, parsed.issues);
    return parsed.value as typeof row;
  },
};
