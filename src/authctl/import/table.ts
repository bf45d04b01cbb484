// The old service's table as rows of an import: where its database is, by the names under which that service knew it;
// which of its columns is which; and its rows, with its words for roles and states.
import type { Environment } from "../../config/read.ts";
import {
  type ColumnMap,
  columnsOf,
  extentOf,
  isKey,
  openSource,
  pageOf,
  type TableName,
} from "../../db/import-source.ts";
import type { DatabasePool } from "../../db/pool.ts";
import { readDatabaseAddress, shownPlace } from "../../lib/database-address.ts";
import { asError } from "../../lib/errors.ts";
import { Unreachable, UsageFault } from "../faults.ts";
import type { SourceRow } from "./rows.ts";
import { pageRows, type Source, type SourcePosition } from "./source.ts";

/** What a service in Python calls them; the first that is set counts. */
const names = {
  host: ["POSTGRES_HOST", "POSTGRES_SERVER", "DB_HOST"],
  port: ["POSTGRES_PORT", "DB_PORT"],
  user: ["POSTGRES_USER", "DB_USER", "DB_USERNAME"],
  password: ["POSTGRES_PASSWORD", "DB_PASSWORD", "DB_PASS"],
  database: ["POSTGRES_DB", "DB_NAME", "DB_DATABASE"],
} as const;

/** @throws UsageFault where the environment does not tell */
export function oldDatabase(env: Environment): URL {
  const whole = env["DATABASE_URL"];
  if (whole) return checked(whole.replace(/^postgres(?:ql)?(?:\+\w+)?:/, "postgresql:")); // SQLAlchemy names its driver
  const part = (of: keyof typeof names): string | undefined => names[of].map((name) => env[name]).find(Boolean);
  const [user, database] = [part("user"), part("database")];
  if (!user || !database) {
    throw new UsageFault(
      "Where is the old service's database? Set DATABASE_URL, or POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB (or DB_...), or name a FILE of JSON lines.",
    );
  }
  const [name, password, host] = [user, part("password") ?? "", part("host") ?? "localhost"].map(encodeURIComponent);
  return checked(`postgresql://${name}:${password}@${host}:${part("port") ?? "5432"}/${encodeURIComponent(database)}`);
}

/** What is wrong is told without the URL, which has a password. */
function checked(text: string): URL {
  try {
    readDatabaseAddress(text);
    return new URL(text);
  } catch (error) {
    throw new UsageFault(`The old service's database (DATABASE_URL, or POSTGRES_...) ${asError(error).message}.`);
  }
}

/** Our field -> what services call the column; the first that is there counts. */
const candidates: Readonly<Record<string, readonly string[]>> = {
  id: ["id", "user_id"],
  login: ["login"],
  username: ["username", "user_name", "name"],
  email: ["email", "mail"],
  hash: ["hashed_password", "password_hash", "password"],
  active: ["is_active", "active"],
  verified: ["is_verified", "verified"],
  role: ["role"],
  admin: ["is_superuser", "is_admin"],
  createdAt: ["created_at", "registered_at", "date_joined"],
};
const needed = ["id", "login", "email", "hash"];

export interface TableChoice {
  table: string;
  /** Ours -> theirs, where the names above do not do. */
  columns: ReadonlyMap<string, string>;
}

/**
 * Runs with the table, its connection closed after.
 * @throws UsageFault where the table or a column is missing, Unreachable
 */
export async function withTable<T>(url: URL, choice: TableChoice, use: (source: Source) => Promise<T>): Promise<T> {
  const reach = reaching(url);
  const pool = await reach(() => openSource(url.href));
  try {
    return await use(await tableSource(pool, { url, choice, reach }));
  } finally {
    await pool.end();
  }
}

type Reach = <T>(work: () => Promise<T>) => Promise<T>;

function reaching({ href }: URL): Reach {
  const host = shownPlace(readDatabaseAddress(href));
  return async (work) => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof UsageFault) throw error;
      throw new Unreachable(
        `The old service's PostgreSQL (${host}) does not answer, or refuses: ${asError(error).message}`,
      );
    }
  };
}

async function tableSource(
  pool: DatabasePool,
  { url, choice, reach }: { url: URL; choice: TableChoice; reach: Reach },
): Promise<Source> {
  const [table = "", schema = "public"] = choice.table.split(".").reverse();
  const name: TableName = { schema, table };
  const columns = await reach(() => mapColumns(pool, name, choice.columns));
  const id = columns.get("id") ?? "";
  const start: SourcePosition = { position: Number.MIN_SAFE_INTEGER, nextByte: 0 };
  const { largest } = await reach(() => extentOf(pool, name, { id, after: start.position }));
  if (largest > Number.MAX_SAFE_INTEGER) throw new UsageFault(`${id} goes beyond 2^53, and ids are kept.`);
  return {
    name: `postgresql://${url.host}${url.pathname}/${schema}.${table}`,
    fingerprint: "",
    resumable: true,
    start,
    largestId: largest,
    async extent({ position }) {
      const { rows } = await reach(() => extentOf(pool, name, { id, after: position }));
      return { total: rows, unit: "rows" };
    },
    async *pages(after: SourcePosition) {
      for (let position = after.position; ; ) {
        const rows = await reach(() => pageOf(pool, name, { columns, after: position, limit: pageRows }));
        if (rows.length === 0) return;
        yield rows.map(toSourceRow);
        position = Number(rows.at(-1)?.["id"]);
      }
    },
  };
}

async function mapColumns(
  pool: DatabasePool,
  name: TableName,
  chosen: ReadonlyMap<string, string>,
): Promise<ColumnMap> {
  const found = await columnsOf(pool, name);
  const list = found.map((column) => column.name);
  if (list.length === 0) throw new UsageFault(`There is no table ${name.schema}.${name.table} (--table).`);
  const strange = [...chosen].find(([, theirs]) => !list.includes(theirs));
  if (strange !== undefined)
    throw new UsageFault(`${name.table} has no column ${strange[1]} (--column): it has ${list.join(", ")}.`);
  const columns = new Map<string, string>();
  for (const [ours, theirs] of Object.entries(candidates)) {
    const column = chosen.get(ours) ?? theirs.find((each) => list.includes(each));
    if (column !== undefined) columns.set(ours, column);
  }
  const missing = needed.filter((each) => !columns.has(each));
  if (missing.length > 0)
    throw new UsageFault(
      `Which column is ${missing.join(", which is ")}? Say --column ${missing[0]}=THEIRS; ${name.table} has ${list.join(", ")}.`,
    );
  await checkId(pool, name, { id: columns.get("id") ?? "", found });
  return columns;
}

async function checkId(
  pool: DatabasePool,
  name: TableName,
  { id, found }: { id: string; found: readonly { name: string; type: string }[] },
): Promise<void> {
  const type = found.find((column) => column.name === id)?.type ?? "";
  if (!["smallint", "integer", "bigint"].includes(type))
    throw new UsageFault(
      `${id} is ${type}, and ids are kept as whole numbers: export the table as JSON lines without id.`,
    );
  if (!(await isKey(pool, name, id)))
    throw new UsageFault(
      `${id} has no unique index, and rows are read in its order: CREATE UNIQUE INDEX ON ${name.table} (${id}).`,
    );
}

function toSourceRow(row: Readonly<Record<string, unknown>>): SourceRow {
  const { id, active, verified, role, admin, createdAt, ...same } = row;
  const roles = [...(typeof role === "string" && role !== "" ? [role] : []), ...(isTrue(admin) ? ["admin"] : [])];
  const given = {
    ...same,
    id: Number(id),
    roles,
    ...(active !== undefined && { banned: active !== null && !isTrue(active) }),
    ...(verified !== undefined && { confirmed: isTrue(verified) }),
    ...(typeof createdAt === "string" && { createdAt: Number(createdAt) }),
  };
  return { position: Number(id), nextByte: 0, given };
}

const isTrue = (text: unknown): boolean => typeof text === "string" && /^(t|true|1|y|yes)$/i.test(text);
