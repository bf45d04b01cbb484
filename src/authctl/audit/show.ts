// authctl audit show: the newest rows of the audit, read from the database itself. Personal details are opened with the
// key of the user concerned; where that user is deleted, the key is too, and the row says so.
import { requireUser } from "../../accounts/users.ts";
import { decryptPersonal, decryptUserKey, withoutState } from "../../crypto/audit.ts";
import { type DataKeys, loadDataKeys } from "../../crypto/envelope.ts";
import { type AuditFilter, newestRows, type ShownRow } from "../../db/audit-reading.ts";
import { readOnly } from "../../db/inbox.ts";
import { dataKeyRows } from "../../db/keys.ts";
import type { DatabasePool } from "../../db/pool.ts";
import { profileByLogin } from "../../db/users.ts";
import { systemClock } from "../../lib/clock.ts";
import { refuse } from "../../protocol/errors.ts";
import { parseTarget } from "../../protocol/target.ts";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { withDatabase } from "../connect/database.ts";
import { sinceOption } from "../connect/reach.ts";
import { findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";
import { table } from "../terminal/table.ts";
import { defaultShowLimit, maxShowLimit } from "./limits.ts";

export async function auditShow(call: Invocation): Promise<CommandResult> {
  const since = sinceOption(call);
  const actor = textOption(call, "actor");
  const wanted: AuditFilter = {
    limit: readLimit(call),
    ...(actor !== undefined && { actor }),
    ...(since !== undefined && { since: systemClock.now() - since }),
  };
  const target = findTarget(call.env);
  return withDatabase(target, "to read the audit", async (pool) => {
    const keys = loadDataKeys(target.config.AUTH_MASTER_KEY ?? [], await dataKeyRows(pool));
    const userId = await findUserId(pool, call);
    const rows = await newestRows(pool, { ...wanted, ...(userId !== undefined && { userId }) });
    return rowsResult(rows.map((row) => toEntry(row, keys)));
  });
}

function readLimit(call: Invocation): number {
  const text = textOption(call, "limit") ?? String(defaultShowLimit);
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > maxShowLimit)
    throw new UsageFault(`--limit takes a number from 1 to ${maxShowLimit}, not ${text}.`);
  return limit;
}

/** @throws Refusal NOT_FOUND: of a deleted user only the id is left */
async function findUserId(pool: DatabasePool, call: Invocation): Promise<number | undefined> {
  const target = textOption(call, "user");
  if (target === undefined) return undefined;
  const parsed = parseTarget(target);
  if ("id" in parsed) return parsed.id;
  const user = await readOnly(pool, profileByLogin(parsed.loginKey));
  if (user === null)
    throw refuse("NOT_FOUND", { message: "There is no such user. One who is deleted is known by id:NUMBER alone." });
  return requireUser(user).id;
}

interface Entry {
  number: number;
  at: string;
  event: string;
  userId: number | null;
  actor: string;
  outcome: string;
  eventId: string;
  traceparent: string | null;
  /** Details of no user, and personal ones; null: erased with their user. */
  details: object;
  personal: object | null;
  erased: boolean;
}

function toEntry(row: ShownRow, keys: DataKeys): Entry {
  const {
    number,
    at,
    event,
    userId,
    actor,
    outcome,
    eventId,
    traceparent,
    details,
    personal: encrypted,
    encryptedUserKey,
  } = row;
  const known = userId === null || encryptedUserKey !== null;
  const userKey = userId === null || encryptedUserKey === null ? null : decryptUserKey(keys, userId, encryptedUserKey);
  return {
    number,
    at: new Date(at / 1000).toISOString(),
    event,
    userId,
    actor,
    outcome,
    eventId,
    traceparent,
    details: JSON.parse(details) as object,
    personal:
      encrypted !== null && known
        ? personalDetails(decryptPersonal(keys, userKey, { eventId, personal: encrypted }))
        : null,
    erased: !known,
  };
}

/** null also where there are only digests. */
function personalDetails(personal: Record<string, unknown>): object | null {
  const rest = withoutState(personal);
  return rest === null || Object.keys(rest).length === 0 ? null : rest;
}

function rowsResult(entries: Entry[]): CommandResult {
  const rows = entries.map((entry) => {
    const said = JSON.stringify({ ...entry.details, ...entry.personal });
    const user = entry.userId === null ? "-" : `id:${entry.userId}`;
    return [
      String(entry.number),
      entry.at,
      entry.event,
      user,
      entry.actor,
      entry.outcome,
      entry.erased ? `${said} (erased)` : said,
    ];
  });
  const head = ["NUMBER", "AT", "EVENT", "USER", "ACTOR", "OUTCOME", "DETAILS"];
  return { document: { rows: entries }, lines: rows.length === 0 ? ["No rows."] : table([head, ...rows]) };
}
