// List: the sessions of an access token's user that go on, the newest first. What is over, by its end or by being
// unused, is left out. Refuses INVALID_INPUT (a cursor that no page gave), and what requireBearer refuses.

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
