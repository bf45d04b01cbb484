// Export: everything that is held about the owner of an access token, as one JSON document (copies.ts says what is in it, and how much).
// Refuses what bearerOf refuses, THROTTLED (a copy was taken less than ten minutes ago).
import { refuse } from "../../errors.ts";
import { copyOf } from "../copies.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { bearerOf } from "../session/access.ts";

export const exportAccount = defineHandler({
  topic: "auth.account.export",
  lane: "db",
  once: true,
  async handle({ accessToken }, ctx) {
    const { claims, userId } = await bearerOf(ctx, accessToken);
    const copy = await copyOf(ctx, userId);
    if (copy === null) throw refuse("SESSION_REVOKED"); // deleted a moment ago
    const { document, user } = copy;
    const facts = [fact("DataExported", { sessionId: claims.sessionId, reason: "" })];
    return ctx.commit({ user, facts }, { document });
  },
});
