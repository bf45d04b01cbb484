// Everything that is held about a user, as one JSON document: account, roles, kinds of credentials, links, sessions,
// and the history from the audit. No hash, no secret, and no name of another user or operator; it addresses the user,
// whoever asks for it. The document has at most `mostBytes`; beyond that the oldest sessions and history are left out,
// and `leftOut` says from when on. Taking one is audited, so its answer is stored like that of any change; therefore
// the next copy has to wait for ten minutes.

import type { Change, Context } from "../command/context.ts";
import { stateField, withoutState } from "../crypto/audit.ts";
import { heldAbout, historyOf, markExported, mostRows } from "../db/personal-data.ts";
import { refuse } from "../protocol/errors.ts";

/**
 * Of the document as it stands in a sealed reply, a JSON text within a JSON text; base64 makes 870 KB of it, and a
 * record has 1 MB.
 */
const mostBytes = 640 * 1024;
const everyMs = 600_000;
const mostHistory = 2000;

export interface DataExport {
  document: string;
  /** For the change that says who took it: refuses the second of two at once. */
  user: NonNullable<Change["user"]>;
}

/**
 * @returns null: there is no such user (any more).
 * @throws Refusal THROTTLED where a copy was taken less than ten minutes ago
 */
export async function exportData(ctx: Context<"personalData">, id: number): Promise<DataExport | null> {
  const about = await ctx.read(heldAbout(id, everyMs));
  if (about === null) return null;
  if (about.waitMs > 0)
    throw refuse("THROTTLED", { message: "A copy was made a moment ago.", retryAfterMs: about.waitMs });
  const sections = { ...(JSON.parse(about.held) as Sections), history: await history(ctx, id) };
  const document = JSON.stringify(exportDocument(sections, ctx.now()));
  return { document, user: { id, subject: markExported(id, everyMs) } };
}

/** Lists have their newest first. */
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
  if (found === null || found.subjectBox === null) return [];
  const open = ctx.personalData.reader(userId, found.subjectBox);
  return (JSON.parse(found.rows) as HistoryRow[]).map(({ eventId, at, event, actor, outcome, details, personal }) => {
    const { [stateField.aspects]: _, ...said } = details;
    return {
      at,
      event,
      by: actor === `user:${userId}` ? "yourself" : actor.split(":")[0], // who else it was is about somebody else
      outcome,
      ...said,
      ...(personal !== null && withoutState(open({ eventId, personal: Buffer.from(personal, "base64") }))),
    };
  });
}

/** Takes sections in their order, and of lists as much as there is room for. */
export function exportDocument(sections: Sections, now: number): object {
  const document: Sections = { format: 1, exportedAt: new Date(now).toISOString() };
  const leftOut: Record<string, object> = {};
  let room = mostBytes - 1000; // for what stands around it
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
