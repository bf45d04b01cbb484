// Revoke: ends one session of an access token's user, or all but the token's own. That one stays open; its access token
// stays valid if the others are few enough to be listed. If not, the user's generation is raised instead of writing a
// record for each, and the token needs a refresh. Refuses what requireBearer refuses, INVALID_INPUT, NOT_FOUND (no such
// session, already over, or another user's).

import { type Bearer, requireBearer } from "../../accounts/bearer.ts";
import { endedLater, requireOpenSession } from "../../accounts/sessions.ts";
import type { Change, Context } from "../../command/context.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { voidLinks } from "../../db/one-time-tokens.ts";
import { endOtherSessions, endSession, endSessionsOf, otherSessions } from "../../db/sessions.ts";
import { lockUser, raiseGeneration } from "../../db/users.ts";
import { invalid } from "../../protocol/errors.ts";

const byUser = { cause: "user", reason: "" };

/** Each is an outbox row and a record that every verifier keeps. */
const mostListed = 100;

export default defineHandler({
  topic: "auth.session.revoke",
  lane: "db",
  storesAnswer: true,
  async handle({ accessToken, sessionId, others }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    if ((sessionId !== null) === others)
      throw invalid("sessionId", "must be given where others is false, and only there");
    return ctx.commit(sessionId === null ? await allOthers(ctx, bearer) : await one(ctx, bearer, sessionId), {});
  },
});

async function one(ctx: Context, { userId: id }: Bearer, sessionId: string): Promise<Change> {
  await requireOpenSession(ctx, id, sessionId);
  return {
    user: { id, lock: lockUser(id, {}) },
    events: [event("SessionsRevoked", { sessionIds: [sessionId], kept: null, ...byUser })],
    writes: [endSession(sessionId, "revoked"), voidLinks(id, { askedIn: sessionId })],
  };
}

/** Sessions opened between read and commit end too: the commit finds them while it holds the user's row. */
async function allOthers(ctx: Context, { claims, userId: id, generation }: Bearer): Promise<Change> {
  const kept = claims.sessionId;
  const ids = (await ctx.read(otherSessions(id, kept, mostListed + 1)))?.ids ?? [];
  if (ids.length > mostListed)
    return {
      user: { id, lock: raiseGeneration(id, { generation }), generation: generation + 1 },
      events: [event("SessionsRevoked", { sessionIds: [], kept, ...byUser })],
      writes: [endSessionsOf(id, "revoked", kept)],
    };
  const others = { spared: kept, readBefore: ids, reason: "revoked", ...endedLater(ctx, id, { kept, ...byUser }) };
  return {
    user: { id, lock: lockUser(id, {}) },
    events: ids.length === 0 ? [] : [event("SessionsRevoked", { sessionIds: ids, kept, ...byUser })],
    writes: [voidLinks(id), endOtherSessions(id, others)],
  };
}
