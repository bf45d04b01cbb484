// Change-locale: sets the language of mails to the owner of an access token, for users who registered without one or
// were imported. It does not affect logging in, so it needs no password, makes no event and sends no mail. Refuses what
// requireBearer refuses, INVALID_INPUT.

import { requireBearer } from "../../accounts/bearer.ts";
import { checkLocale } from "../../accounts/input.ts";
import { defineHandler } from "../../command/define.ts";
import { changeLocale as setLocale } from "../../db/users.ts";

export default defineHandler({
  topic: "auth.account.change-locale",
  lane: "db",
  storesAnswer: true,
  async handle(request, ctx) {
    const { userId: id } = await requireBearer(ctx, request.accessToken);
    const locale = checkLocale(request.locale);
    return ctx.commit({ user: { id, lock: setLocale(id, locale) }, events: [] }, { locale });
  },
});
