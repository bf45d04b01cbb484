// Opens, lists and finds sessions; every command that returns tokens opens its session here. A user has at most
// AUTH_SESSIONS_MAX sessions: a commit that opens another one ends the oldest.

import type { Context } from "../command/context.ts";
import { event } from "../command/events.ts";
import { isUuid } from "../crypto/ids.ts";
import { hashSecret, newOpaque } from "../crypto/opaque.ts";
import { shardOf } from "../db/outbox.ts";
import { insertSession, type SessionLimit, sessionById, sessionPageOf } from "../db/sessions.ts";
import type { Write } from "../db/statements.ts";
import { invalid, refuse } from "../protocol/errors.ts";
import type { Client, Session } from "../protocol/generated/schemas.ts";
import { normalize } from "../protocol/record-key.ts";

export interface SessionUser {
  id: number;
  login: string;
  roles: string[];
  generation: number;
  /** Roles that only a session with a second factor carries. */
  strongRoles: string[];
  deviceEpoch: number;
}

export interface SessionTokens {
  userId: number;
  sessionId: string;
  accessToken: string;
  accessExpiresAt: number;
  refreshToken: string;
  refreshExpiresAt: number;
  deviceToken: string;
}

export interface OpenedSession {
  tokens: SessionTokens;
  write: Write;
}

/**
 * Makes the tokens of a new session and the write that opens it; nothing is stored yet. A role that requires a second
 * factor is carried only if `amr` contains mfa. A rotating session ends after AUTH_REFRESH_TTL, another one after
 * AUTH_COOKIE_MAX_AGE; both end when idle for AUTH_REFRESH_IDLE.
 * @param deviceKey the record key of the login, for the device token; default: the account's login
 */
export async function openSession(
  ctx: Context<"sessions">,
  user: SessionUser,
  how: { rotating: boolean; client: Client | null; amr: string[]; deviceKey?: string },
): Promise<OpenedSession> {
  const { settings } = ctx;
  const now = ctx.now();
  const sessionId = ctx.uuid();
  const refresh = newOpaque(sessionId);
  const loginKey = normalize(user.login);
  const { deviceKey = loginKey } = how;
  const expiresAt = now + (how.rotating ? settings.refreshTtlMs : settings.cookieMaxAgeMs);
  const access = await ctx.sessions.issueAccess({
    userId: user.id,
    login: user.login,
    roles: user.roles.filter((role) => how.amr.includes("mfa") || !user.strongRoles.includes(role)),
    sessionId,
    generation: user.generation,
    amr: how.amr,
    authTime: now,
  });
  return {
    tokens: {
      userId: user.id,
      sessionId,
      accessToken: access.token,
      accessExpiresAt: access.expiresAt,
      refreshToken: refresh.token,
      refreshExpiresAt: Math.min(expiresAt, now + settings.refreshIdleMs),
      deviceToken: ctx.sessions.deviceToken({ recordKey: deviceKey, epoch: user.deviceEpoch }),
    },
    write: insertSession(
      {
        id: sessionId,
        userId: user.id,
        rotating: how.rotating,
        refreshHash: hashSecret(refresh.secret),
        refreshKey: ctx.sessions.refreshKey().id,
        now,
        expiresAt,
        amr: how.amr,
        client: how.client,
        byAddress: deviceKey !== loginKey,
      },
      sessionLimit(ctx, user.id),
    ),
  };
}

/**
 * A SessionsRevoked event for sessions that are only known once the commit holds the user's row: its form is given
 * here, the statement adds the ids.
 */
export function endedLater(
  ctx: Context,
  userId: number,
  about: { kept: string | null; cause: string; reason: string },
) {
  const { event: kind, body } = event("SessionsRevoked", { sessionIds: [], ...about });
  const [eventId, traceparent] = [ctx.uuid(), ctx.call.headers.traceparent ?? null];
  const written = { ...body, at: ctx.now() };
  const audited = { eventId, kind, actor: `user:${userId}`, traceparent, body: written };
  return {
    shard: shardOf(userId),
    said: { eventId, traceparent, event: written },
    audited: ctx.audited(audited, userId),
  };
}

function sessionLimit(ctx: Context, userId: number): SessionLimit {
  const { sessionsMax: most, refreshIdleMs: idleMs } = ctx.settings;
  return { most, idleMs, ...endedLater(ctx, userId, { kept: null, cause: "limit", reason: "" }) };
}

const pageSize = 50;

/** @param current id of the session that asks. @throws Refusal INVALID_INPUT for a cursor that no page returned */
export async function sessionPage(
  ctx: Context,
  userId: number,
  { cursor, current }: { cursor: string | null; current: string | null },
): Promise<{ sessions: Session[]; cursor: string | null }> {
  if (cursor !== null && !isUuid(cursor)) throw invalid("cursor", "is not one that a page gave");
  const { refreshIdleMs: idleMs } = ctx.settings;
  const page = await ctx.read(sessionPageOf(userId, { idleMs, after: cursor, most: pageSize + 1 }));
  if (page === null || !page.known) throw invalid("cursor", "is not one that a page gave, or too old");
  const sessions = page.sessions.slice(0, pageSize).map((each) => ({ ...each, current: each.sessionId === current }));
  return { sessions, cursor: page.sessions.length > pageSize ? (sessions.at(-1)?.sessionId ?? null) : null };
}

/** @throws Refusal INVALID_INPUT; NOT_FOUND where it is unknown, over or another user's, in the same words for all */
export async function requireOpenSession(ctx: Context, userId: number, sessionId: string): Promise<void> {
  if (!isUuid(sessionId)) throw invalid("sessionId", "must be a session's id");
  const session = await ctx.read(sessionById(sessionId));
  if (session === null || session.userId !== userId || session.ended || session.expiresAt <= ctx.now())
    throw refuse("NOT_FOUND", { message: "There is no such session." });
}
