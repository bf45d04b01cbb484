// Change-locale: the language that the owner of an access token is written to in, from now on. For whoever registered
// without one, or came with an import. It is no part of logging in: no password is asked for, no event is made,
// nobody is told. Refuses what requireBearer refuses, INVALID_INPUT.

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
    return ctx.commit({ user: { id, subject: setLocale(id, locale) }, events: [] }, { locale });
  },
});
