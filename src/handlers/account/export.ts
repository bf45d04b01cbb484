// Export: everything that is held about the owner of an access token, as one JSON document (accounts/data-export.ts
// says what is in it, and how much). The copy is worth as much as the account to whoever stole a token: the login must
// be young, and the owner is told by mail. Refuses what requireBearer and demandFreshLogin refuse, THROTTLED (a copy
// was taken less than ten minutes ago).

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
