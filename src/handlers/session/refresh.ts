// Refresh: exchanges a refresh token for a new access token. In a rotating session the refresh token changes too. The
// successor is derived from its parent, so within the grace time the parent gets the same successor again (a client
// that lost the answer, or fifty parallel calls); anything older ends this session and no other (RFC 9700, section
// 4.14.2). A session that does not rotate keeps its token. The device token is renewed too. Refuses INVALID_INPUT,
// TOKEN_INVALID (unknown or forged), TOKEN_EXPIRED, SESSION_REVOKED, REFRESH_REUSED.

import { checkToken } from "../../accounts/input.ts";
import type { SessionTokens } from "../../accounts/sessions.ts";
import type { Context } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import {
  ancestorDistance,
  formatOpaque,
  hashSecret,
  isSecretOf,
  type OpaqueToken,
  parseOpaque,
  successor,
} from "../../crypto/opaque.ts";
import {
  endSession,
  rotateSession,
  type SessionForRefresh,
  sessionToRefresh,
  touchSession,
} from "../../db/sessions.ts";
import type { Write } from "../../db/statements.ts";
import { lockUser } from "../../db/users.ts";
import { refuse } from "../../protocol/errors.ts";

/**
 * A forged secret costs at most this many HMACs, some 5 ms; a session that rotates every 15 min makes 2,880 in 30 days.
 */
const longestWalk = 3000;

type OwnedSession = SessionForRefresh & {
  userId: number;
  login: string;
  generation: number;
  deviceKey: string;
  deviceEpoch: number;
};

export default defineHandler({
  topic: "auth.session.refresh",
  lane: "cheap",
  storesAnswer: true,
  needs: ["sessions"],
  async handle(request, ctx) {
    checkToken("refreshToken", request.refreshToken);
    const presented = parseOpaque(request.refreshToken);
    if (presented === undefined) throw refuse("TOKEN_INVALID");
    const session = await ctx.read(sessionToRefresh(presented.id));
    if (session === null) throw refuse("TOKEN_INVALID");
    const place = secretPosition(session, presented, ctx);
    if (place === "unknown") throw refuse("TOKEN_INVALID");
    if (!isOwned(session) || session.ended || session.banned) throw refuse("SESSION_REVOKED");
    const now = ctx.now();
    if (session.expiresAt <= now || session.lastUsedAt + ctx.settings.refreshIdleMs <= now)
      throw refuse("TOKEN_EXPIRED");
    if (place === "older") return reused(ctx, presented.id, session);
    return renew(ctx, { session, presented, place });
  },
});

function isOwned(session: SessionForRefresh): session is OwnedSession {
  const { userId, login, generation, deviceKey, deviceEpoch } = session;
  return [userId, login, generation, deviceKey, deviceEpoch].every((each) => each !== null);
}

type SecretPosition = "current" | "parent" | "older" | "unknown";

/** The position of the presented secret in the session's chain of secrets. */
function secretPosition(session: SessionForRefresh, { secret }: OpaqueToken, ctx: Context<"sessions">): SecretPosition {
  if (isSecretOf(session.currentHash, secret)) return "current";
  if (!session.rotating) return "unknown";
  if (session.previousHash !== null && isSecretOf(session.previousHash, secret)) {
    const age = ctx.now() - (session.rotatedAt ?? 0);
    return age <= ctx.settings.refreshGraceMs ? "parent" : "older";
  }
  const { key: refreshKey } = ctx.sessions.refreshKey(session.refreshKey);
  const max = Math.min(session.rotations, longestWalk);
  return ancestorDistance(secret, session.currentHash, { refreshKey, max }) === undefined ? "unknown" : "older";
}

async function renew(
  ctx: Context<"sessions">,
  { session, presented, place }: { session: OwnedSession; presented: OpaqueToken; place: "current" | "parent" },
): Promise<SessionTokens> {
  const now = ctx.now();
  const { userId, login, roles, generation, amr } = session;
  const sessionId = presented.id;
  const next = session.rotating
    ? successor(ctx.sessions.refreshKey(session.refreshKey).key, presented.secret)
    : presented.secret;
  const write: Write =
    session.rotating && place === "current"
      ? rotateSession(sessionId, { current: session.currentHash, successor: hashSecret(next), now })
      : touchSession(sessionId, now);
  const access = await ctx.sessions.issueAccess({
    userId,
    login,
    roles,
    sessionId,
    generation,
    amr,
    authTime: session.createdAt,
  });
  return ctx.commit(
    {
      user: { id: userId, lock: lockUser(userId, { generation, banned: false }) },
      events: [event("SessionRefreshed", { sessionId })],
      writes: [write],
    },
    {
      userId,
      sessionId,
      accessToken: access.token,
      accessExpiresAt: access.expiresAt,
      refreshToken: formatOpaque({ id: sessionId, secret: next }),
      refreshExpiresAt: Math.min(session.expiresAt, now + ctx.settings.refreshIdleMs),
      deviceToken: ctx.sessions.deviceToken({ recordKey: session.deviceKey, epoch: session.deviceEpoch }),
    },
  );
}

function reused(ctx: Context, sessionId: string, { userId }: OwnedSession): Promise<never> {
  return ctx.commitRefusal(
    {
      user: { id: userId, lock: lockUser(userId, {}) },
      events: [event("RefreshReused", { sessionId })],
      writes: [endSession(sessionId, "refresh-reused")],
      actor: "anonymous",
    },
    refuse("REFRESH_REUSED"),
  );
}
