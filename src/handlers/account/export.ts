// Export: everything stored about the owner of an access token, as one JSON document (contents and limits:
// accounts/data-export.ts). To a thief of the token the document is worth as much as the account, so the login must be
// recent, and the owner is told by mail. Refuses what requireBearer and demandFreshLogin refuse, THROTTLED (less than
// ten minutes after the last export).

import { demandFreshLogin, requireBearer } from "../../accounts/bearer.ts";
import { exportData } from "../../accounts/data-export.ts";
import { mail } from "../../accounts/mails.ts";
import { defineHandler } from "../../command/define.ts";
import { event } from "../../command/events.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineHandler({
  topic: "auth.account.export",
  lane: "db",
  storesAnswer: true,
  needs: ["personalData"],
  async handle({ accessToken }, ctx) {
    const bearer = await requireBearer(ctx, accessToken);
    const { email, username, locale } = await demandFreshLogin(ctx, bearer);
    const { claims, userId, client } = bearer;
    const copy = await exportData(ctx, userId);
    if (copy === null) throw refuse("SESSION_REVOKED"); // deleted a moment ago
    const { document, user } = copy;
    const events = [event("DataExported", { sessionId: claims.sessionId, reason: "" })];
    const to = { key: String(userId), email, username, locale, from: { session: client } };
    const messages = [mail(ctx, "data-exported", to)];
    return ctx.commit({ user, events, messages }, { document });
  },
});
