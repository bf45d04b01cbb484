// Opening a session, shared by every command that ends with tokens: login and confirmation.
import { hashSecret, newOpaque } from "../crypto/opaque.ts";
import { insertSession } from "../db/sessions.ts";
import type { Write } from "../db/statements.ts";
import type { Client } from "../generated/schemas.ts";
import type { Context } from "./context.ts";

export interface SessionUser {
  id: number;
  login: string;
  roles: string[];
  generation: number;
}

export interface SessionTokens {
  userId: number;
  sessionId: string;
  accessToken: string;
  accessExpiresAt: number;
  refreshToken: string;
  refreshExpiresAt: number;
}

export interface OpenedSession {
  tokens: SessionTokens;
  write: Write;
}

/**
 * Makes the tokens of a new session and the write that opens it; nothing is stored yet.
 * A rotating session ends after AUTH_REFRESH_TTL, another after AUTH_COOKIE_MAX_AGE; either when idle for AUTH_REFRESH_IDLE.
 */
export async function openSession(
  ctx: Context,
  user: SessionUser,
  how: { rotating: boolean; client: Client | null; amr: string[] },
): Promise<OpenedSession> {
  const { settings, tokens } = ctx;
  const now = ctx.now();
  const sessionId = ctx.uuid();
  const refresh = newOpaque(sessionId);
  const expiresAt = now + (how.rotating ? settings.refreshTtlMs : settings.cookieMaxAgeMs);
  const access = await tokens.issueAccess({
    userId: user.id,
    login: user.login,
    roles: user.roles,
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
    },
    write: insertSession({
      id: sessionId,
      userId: user.id,
      rotating: how.rotating,
      refreshHash: hashSecret(refresh.secret),
      refreshKey: ctx.refreshKey().id,
      now,
      expiresAt,
      amr: how.amr,
      client: how.client,
    }),
  };
}
