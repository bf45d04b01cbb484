// List: the open sessions of an access token's user, newest first, without those that expired or were idle too long.
// Refuses INVALID_INPUT (a cursor that no page returned), and what requireBearer refuses.

import { requireBearer } from "../../accounts/bearer.ts";
import { sessionPage } from "../../accounts/sessions.ts";
import { defineHandler } from "../../command/define.ts";

export default defineHandler({
  topic: "auth.session.list",
  lane: "db",
  storesAnswer: false,
  async handle({ accessToken, cursor }, ctx) {
    const { claims, userId } = await requireBearer(ctx, accessToken);
    return sessionPage(ctx, userId, { cursor, current: claims.sessionId });
  },
});
