// Everything the service holds about a user, as one JSON document: account, roles, kinds of credentials, links,
// sessions, and the history from the audit. It contains no hash, no secret, and no name of another user or operator,
// and it is written for the user even when an administrator asks for it. Above `mostBytes` the oldest sessions and
// history are left out, and `leftOut` says from when. An export is audited, so its answer is stored like that of any
// change; the next one must wait ten minutes.

import type { Change, Context } from "../command/context.ts";
import { stateField, withoutState } from "../crypto/audit.ts";
import { heldAbout, historyOf, markExported, mostRows } from "../db/personal-data.ts";
import { refuse } from "../protocol/errors.ts";

/**
 * The limit of the document within a sealed reply, where it is JSON inside JSON: base64 makes 870 KB of it, and a
 * record may have 1 MB.
 */
const mostBytes = 640 * 1024;
const everyMs = 600_000;
const mostHistory = 2000;

export interface DataExport {
  document: string;
  /** Lock for the commit that records the export; it refuses the second of two at once. */
  user: NonNullable<Change["user"]>;
}

/**
 * @returns null where there is no such user
 * @throws Refusal THROTTLED where the last export is less than ten minutes ago
 */
export async function exportData(ctx: Context<"personalData">, id: number): Promise<DataExport | null> {
  const about = await ctx.read(heldAbout(id, everyMs));
  if (about === null) return null;
  if (about.waitMs > 0)
    throw refuse("THROTTLED", { message: "A copy was made a moment ago.", retryAfterMs: about.waitMs });
  const sections = { ...(JSON.parse(about.held) as Sections), history: await history(ctx, id) };
  const document = JSON.stringify(exportDocument(sections, ctx.now()));
  return { document, user: { id, lock: markExported(id, everyMs) } };
}

/** Lists are ordered newest first. */
type Sections = Record<string, unknown>;

interface HistoryRow {
  eventId: string;
  at: string;
  event: string;
  actor: string;
  outcome: string;
  details: Record<string, unknown>;
  personal: string | null;
}

async function history(ctx: Context<"personalData">, userId: number): Promise<object[]> {
  const found = await ctx.read(historyOf(userId, mostHistory + 1));
  if (found === null || found.encryptedUserKey === null) return [];
  const open = ctx.personalData.reader(userId, found.encryptedUserKey);
  return (JSON.parse(found.rows) as HistoryRow[]).map(({ eventId, at, event, actor, outcome, details, personal }) => {
    const { [stateField.aspects]: _, ...said } = details;
    return {
      at,
      event,
      by: actor === `user:${userId}` ? "yourself" : actor.split(":")[0], // another actor's name is not the user's data
      outcome,
      ...said,
      ...(personal !== null && withoutState(open({ eventId, personal: Buffer.from(personal, "base64") }))),
    };
  });
}

/** Takes the sections in order, and of each list as many entries as fit. */
export function exportDocument(sections: Sections, now: number): object {
  const document: Sections = { format: 1, exportedAt: new Date(now).toISOString() };
  const leftOut: Record<string, object> = {};
  let room = mostBytes - 1000; // the rest is for the surrounding JSON
  for (const [name, section] of Object.entries(sections)) {
    if (!Array.isArray(section)) {
      document[name] = section;
      room -= sizeOf(section);
      continue;
    }
    const most = name === "history" ? mostHistory : mostRows;
    const taken: unknown[] = [];
    for (const row of section.slice(0, most)) {
      room -= sizeOf(row);
      if (room < 0) break;
      taken.push(row);
    }
    document[name] = taken;
    if (taken.length < section.length) leftOut[name] = { olderThan: timeOf(taken.at(-1)) };
  }
  return { ...document, leftOut };
}

const sizeOf = (part: unknown): number => Buffer.byteLength(JSON.stringify(JSON.stringify(part)));

function timeOf(row: unknown): unknown {
  const { at, createdAt, changedAt } = (row ?? {}) as Record<string, unknown>;
  return at ?? createdAt ?? changedAt ?? null;
}
