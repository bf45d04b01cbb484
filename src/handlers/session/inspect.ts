// Inspect: the identity of an access token, checked in the database, so that a revoked one is refused at once. Refuses
// what requireBearer refuses.

import { requireBearer } from "../../accounts/bearer.ts";
import { defineHandler } from "../../command/define.ts";

export default defineHandler({
  topic: "auth.session.inspect",
  lane: "cheap",
  storesAnswer: false,
  async handle(request, ctx) {
    const { claims, userId, login, roles } = await requireBearer(ctx, request.accessToken);
    const { sessionId, expiresAt } = claims;
    return { userId, login, roles, sessionId, expiresAt, isActive: true, isVerified: true };
  },
});
