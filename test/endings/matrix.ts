// The matrix of endings: every row beside every column, both commits held at the user's row and let go in either order.
// What a cell must come to is said here, by what its row ends. The held statements are real: two connections of
// PostgreSQL wait in its queue for the row.
import pg from "pg";
import { sql } from "slonik";
import type { HandlerHarness } from "../support/handlers.ts";
import { type Column, columns } from "./columns.ts";
import { type Row, rows } from "./rows.ts";
import { administrator, newScenario, outcomeOf, type Product, type ProductKind, type Scenario } from "./scenario.ts";

export type First = "made first" | "ended first";

export interface Cell {
  row: Row;
  column: Column;
  first: First;
}

export interface Judged {
  row: string;
  column: string;
  first: First;
  /**
   * What the ending was answered, and what was made: `kind: ways in which it counts`, or the code it was refused with.
   */
  ended: string;
  made: string[];
  /** What is not as it must be. */
  faults: string[];
  /** Whether the ending must show in it at all: something is over, or refused. */
  owes: boolean;
}

const meets = (row: Row, column: Column): boolean => {
  const { accounts = "confirmed", never = {}, only } = row;
  if (accounts !== "any" && (accounts === "confirmed") !== column.confirmed) return false;
  return !Object.hasOwn(never, column.name) && (only === undefined || only.includes(column.name));
};

export function cellsOf(of: readonly Row[] = rows): Cell[] {
  return of.flatMap((row) =>
    columns
      .filter((column) => meets(row, column))
      .flatMap((column) => (["made first", "ended first"] as const).map((first) => ({ row, column, first }))),
  );
}

/** What was made before the ending: whether it is over, goes on, or only its access tokens are over. */
function before(row: Row, kind: ProductKind): "over" | "outdated" | "goes on" {
  const { sessions, links, closes } = row;
  const over: Record<ProductKind, boolean | undefined> = {
    session: sessions === "all" || sessions === "others",
    "own session": sessions !== undefined,
    challenge: row.outdates || row.challenges,
    registration: row.outdates || sessions !== undefined,
    "reset link": row.outdates || links === "mailed",
    "address link": row.outdates || links !== undefined,
    "confirmation link": closes !== undefined,
    "enrolled app": row.factors,
    app: row.factors,
    codes: row.codes,
    passkey: row.factors,
    device: row.devices,
  };
  if (over[kind]) return "over";
  return row.outdates && kind.endsWith("session") ? "outdated" : "goes on";
}

/** What the ending is answered. */
function expectedOf({ row, column, first }: Cell): string {
  if (first === "ended first" || !column.outdates || row.by === undefined) return "ok";
  return row.by === "a" ? "TOKEN_EXPIRED" : "TOKEN_INVALID";
}

/** Whether what is asked for after the ending must be refused. */
function refusedAfter(row: Row, { inSession, shows, name }: Column): boolean {
  if (row.endsWhatItFinds) return false;
  if (row.closes !== undefined) return true;
  if (inSession && row.sessions !== undefined) return true;
  if (inSession && row.outdates && name !== "refresh") return true; // its access token is from before
  if (shows === "password") return row.password === true;
  if (shows === "challenge") return row.outdates === true || row.challenges === true;
  if (shows === "address") return row.address === true;
  return shows === "passkey" && row.factors === true;
}

async function judge(
  { row, column, first }: Cell,
  { ended, products, refused }: Outcome,
): Promise<Pick<Judged, "made" | "faults" | "owes">> {
  const made = refused === undefined ? [] : [refused];
  const faults: string[] = [];
  let owes = first === "ended first" && refusedAfter(row, column);
  for (const product of products) {
    const ways = await product.counts();
    const must = first === "ended first" || !ended ? "goes on" : before(row, product.kind);
    made.push(`${product.kind}: ${ways.join(", ") || "-"}`);
    faults.push(...faultsOf(product, ways, must));
    owes ||= must !== "goes on";
  }
  if (first === "made first" && products.length === 0) faults.push("nothing was made before the ending");
  if (first === "ended first" && products.length > 0 && refusedAfter(row, column)) faults.push("made after the ending");
  if (first === "ended first" && products.length === 0 && !refusedAfter(row, column))
    faults.push("refused for nothing");
  return { made, faults, owes };
}

function faultsOf({ kind }: Product, ways: string[], must: "over" | "outdated" | "goes on"): string[] {
  if (must === "over") return ways.map((way) => `${kind} from before: ${way}`);
  if (ways.length === 0) return [`${kind}: over for nothing`];
  if (!kind.endsWith("session")) return [];
  const wanted = must === "outdated" ? ["refresh"] : ["inspect", "local verifier", "refresh"];
  return ways.join() === wanted.join() ? [] : [`${kind}: ${ways.join(", ")}`];
}

interface Outcome {
  /** Whether the ending came about. */
  ended: boolean;
  products: Product[];
  refused: string | undefined;
}

interface Held {
  cell: Cell;
  scenario: Scenario;
  /** Undefined: nothing is ended. */
  end: (() => Promise<unknown>) | undefined;
  make(): Promise<Product[]>;
}

/** So many cells are held at a time; each needs two connections. */
export const width = 16;

/** @param ending false: nothing is ended, and every cell is judged as if it were; what it was answered is not judged */
export async function runMatrix(
  harness: HandlerHarness,
  url: string,
  cells: readonly Cell[],
  { ending = true }: { ending?: boolean } = {},
): Promise<Judged[]> {
  const [holder, watcher] = [new pg.Client(url), new pg.Client(url)];
  await Promise.all([holder.connect(), watcher.connect()]);
  const actorToken = await administrator(harness);
  const judged: Judged[] = [];
  try {
    for (const batch of batches(cells)) {
      const prepared = await Promise.all(batch.map((cell) => prepare(harness, actorToken, cell)));
      const held = ending ? prepared : prepared.map((each) => ({ ...each, end: undefined }));
      judged.push(...(await runHeld(held, holder, watcher)));
    }
  } finally {
    await Promise.all([holder.end(), watcher.end()]);
  }
  return judged;
}

function batches(cells: readonly Cell[]): Cell[][] {
  const together = cells.filter(({ row }) => !row.alone);
  const all: Cell[][] = cells.filter(({ row }) => row.alone).map((cell) => [cell]);
  for (let at = 0; at < together.length; at += width) all.push(together.slice(at, at + width));
  return all;
}

async function prepare(harness: HandlerHarness, actorToken: string, cell: Cell): Promise<Held> {
  const scenario = await newScenario(harness, cell.column.confirmed, actorToken);
  // The column first: a factor that it sets up may outdate what the row needs.
  const make = await cell.column.prepare(scenario);
  const end = await cell.row.prepare(scenario);
  return { cell, scenario, end, make };
}

async function runHeld(held: Held[], holder: pg.Client, watcher: pg.Client): Promise<Judged[]> {
  await holder.query("BEGIN");
  await holder.query("SELECT FROM users WHERE id = ANY($1) FOR UPDATE", [held.map(({ scenario }) => scenario.id)]);
  const queue = new Queue(watcher);
  const ended = new Map<Held, Promise<unknown>>();
  const made = new Map<Held, Promise<Product[]>>();
  const begin = (each: Held, ending: boolean): void => {
    if (ending) ended.set(each, each.end === undefined ? Promise.resolve() : queue.add(each.end()));
    else made.set(each, queue.add(each.make()));
  };
  for (const each of held) begin(each, each.cell.first === "ended first");
  await queue.blocked();
  for (const each of held) begin(each, each.cell.first === "made first");
  await queue.blocked();
  await holder.query("COMMIT");
  return Promise.all(held.map((each) => settle(each, ended.get(each)!, made.get(each)!)));
}

async function settle(
  { cell, scenario, end }: Held,
  ending: Promise<unknown>,
  making: Promise<Product[]>,
): Promise<Judged> {
  const { row, column, first } = cell;
  const outcome = await outcomeOf(ending);
  const refused = await outcomeOf(making);
  const products = refused === "ok" ? await making : [];
  if (row.closes === "banned") await liftBan(scenario); // what is over stays so
  const { made, faults, owes } = await judge(cell, {
    ended: outcome === "ok" && !(row.unlessConfirmed && column.name === "confirm"),
    products,
    refused: refused === "ok" ? undefined : refused,
  });
  const expected = expectedOf(cell);
  if (end !== undefined && outcome !== expected) faults.push(`the ending was ${outcome}, not ${expected}`);
  return { row: row.name, column: column.name, first, ended: outcome, made, faults, owes };
}

/** Rows that differ from others in no column are left out. */
export const givenInSessions = (): Row[] =>
  rows.filter(({ by, only, topic = "" }) => only === undefined && (by === "a" || topic.startsWith("auth.admin.")));

export interface Given {
  row: string;
  outcome: string;
}

/**
 * What an ending comes to whose own session is ended while it waits: `a`, or the administrator's, by who is not held.
 * What was made in a session is in the matrix; this is about all that is done in one.
 */
export async function runGiven(harness: HandlerHarness, url: string): Promise<Given[]> {
  const [holder, watcher] = [new pg.Client(url), new pg.Client(url)];
  await Promise.all([holder.connect(), watcher.connect()]);
  const given: Given[] = [];
  const inSessions = givenInSessions();
  try {
    for (let at = 0; at < inSessions.length; at += width) {
      const held = await Promise.all(
        inSessions.slice(at, at + width).map(async (row) => {
          const scenario = await newScenario(harness, true, await administrator(harness));
          return { row, scenario, act: await row.prepare(scenario) };
        }),
      );
      await holder.query("BEGIN");
      await holder.query("SELECT FROM users WHERE id = ANY($1) FOR UPDATE", [held.map(({ scenario }) => scenario.id)]);
      const queue = new Queue(watcher);
      const logout = (accessToken: string) => harness.ask("auth.session.logout", { accessToken });
      const ends = held.map(({ row, scenario }) =>
        queue.add(logout(row.by === "a" ? scenario.a.accessToken : scenario.actorToken)),
      );
      await queue.blocked();
      const acts = held.map(({ act }) => queue.add(act()));
      await queue.blocked();
      await holder.query("COMMIT");
      await Promise.all(ends);
      for (const [index, { row }] of held.entries())
        given.push({ row: row.name, outcome: await outcomeOf(acts[index]!) });
    }
  } finally {
    await Promise.all([holder.end(), watcher.end()]);
  }
  return given;
}

const liftBan = ({ harness, id }: Scenario) =>
  harness.pool.query(sql.unsafe`UPDATE users SET banned_at = NULL WHERE id = ${id}`);

/** Calls under way, each of which ends up in PostgreSQL's queue for a row, or is answered before. */
class Queue {
  readonly #watcher: pg.Client;
  #open = 0;

  constructor(watcher: pg.Client) {
    this.#watcher = watcher;
  }

  add<T>(call: Promise<T>): Promise<T> {
    this.#open += 1;
    call.then(
      () => (this.#open -= 1),
      () => (this.#open -= 1),
    );
    return call;
  }

  /** Resolves when whoever is not answered waits for a lock. */
  async blocked(): Promise<void> {
    const end = performance.now() + 10_000;
    for (;;) {
      const { rows: found } = await this.#watcher.query<{ waiting: number }>(
        "SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      if (found[0]!.waiting === this.#open) return;
      if (performance.now() > end)
        throw new Error(`${this.#open} calls are open, ${found[0]!.waiting} wait for a lock`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}
