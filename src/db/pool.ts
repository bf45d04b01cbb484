// The pool of connections to PostgreSQL, through slonik. Its defaults are switched off where they cost or hide something: DISCARD ALL
// after each query is a second round trip, and five silent retries would make an outage look slow instead of failing.
// Every row is parsed by the zod schema of its query.
import {
  createPool,
  createTimestampWithTimeZoneTypeParser,
  type DatabasePool,
  type Interceptor,
  SchemaValidationError,
} from "slonik";

export type { CommonQueryMethods, DatabasePool } from "slonik";

export interface PoolOptions {
  url: string;
  size: number;
  applicationName: string;
}

const statementTimeoutMs = 10_000;
const connectTimeoutMs = 3000;

/** @throws Error while the database does not answer */
export async function openPool({ url, size, applicationName }: PoolOptions): Promise<DatabasePool> {
  const address = new URL(url);
  if (!address.searchParams.has("application_name")) address.searchParams.set("application_name", applicationName);
  return createPool(address.href, {
    captureStackTrace: false,
    connectionRetryLimit: 0,
    queryRetryLimit: 0,
    transactionRetryLimit: 0,
    connectionTimeout: connectTimeoutMs,
    statementTimeout: statementTimeoutMs,
    idleTimeout: "DISABLE_TIMEOUT",
    maximumPoolSize: size,
    minimumPoolSize: Math.min(2, size),
    resetConnection: () => Promise.resolve(),
    typeParsers: [{ name: "int8", parse: wholeNumber }, createTimestampWithTimeZoneTypeParser()],
    interceptors: [parseRows],
  });
}

/** Ids and counts are far below 2^53; one that is not must not be rounded in silence. */
function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond 2^53`);
  return value;
}

const parseRows: Interceptor = {
  name: "parse rows",
  transformRow: (context, query, row) => {
    if (context.resultParser === undefined) return row;
    const parsed = context.resultParser.safeParse(row);
    if (!parsed.success) throw new SchemaValidationError(query, row, parsed.error.issues);
    return parsed.data as typeof row;
  },
};
