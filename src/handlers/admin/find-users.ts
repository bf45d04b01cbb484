// Find-users: users by the beginning of a login or an e-mail address, by id (`id:<number>`), or all, optionally of one
// state, in pages. A cursor names the last user of its page, so users who are added or removed in between shift nobody
// else. A page may have fewer than `limit` users without being the last one; the last page has no cursor. Refuses
// INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN.

import { defineAdminHandler } from "../../command/admin/define.ts";
import { type FoundUsers, findUsers as found, isState, type Search, type SearchPosition } from "../../db/find-users.ts";
import { addressKey } from "../../protocol/email-addresses.ts";
import { invalid } from "../../protocol/errors.ts";
import type { AdminFindUsersRequest, AdminFoundUser } from "../../protocol/generated/schemas.ts";
import { parseTarget } from "../../protocol/target.ts";

const mostOnPage = 200;
const longestSearch = 254; // as the longest e-mail address

export default defineAdminHandler({
  topic: "auth.admin.find-users",
  permission: "users.read",
  async handle(request, ctx) {
    const search = searchOf(request);
    const { users = [], lookedTo = null } = (await ctx.read(found(search))) ?? {};
    const shown = users.slice(0, search.limit);
    return {
      users: shown.map(userOf),
      cursor: cursorOf(users.length > shown.length ? shown.at(-1) : lookedAt(lookedTo)),
    };
  },
});

function searchOf({ search, state, limit, cursor }: AdminFindUsersRequest): Search {
  if (search.length > longestSearch) throw invalid("search", `must not have more than ${longestSearch} characters`);
  if (state !== "" && !isState(state)) throw invalid("state", "must be unconfirmed, active or banned, or empty");
  if (limit < 1 || limit > mostOnPage) throw invalid("limit", `must be 1 to ${mostOnPage}`);
  const target = parseTarget(search);
  return {
    state: state === "" ? "any" : state,
    limit,
    after: cursor === "" ? undefined : placeOf(cursor),
    ...("id" in target ? target : { beginning: addressKey(search) }),
  };
}

function userOf({ part: _part, place: _place, banned, ...user }: FoundUsers["users"][number]): AdminFoundUser {
  return { ...user, isActive: !banned };
}

function lookedAt(looked: FoundUsers["lookedTo"]): SearchPosition | undefined {
  return looked === null ? undefined : { part: "email", ...looked };
}

/** Empty on the last page. */
function cursorOf(last: SearchPosition | undefined): string {
  return last === undefined ? "" : Buffer.from(`${last.part}.${last.userId}.${last.place}`).toString("base64url");
}

function placeOf(cursor: string): SearchPosition {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  const [, part, userId, place] = /^(login|email)\.(\d{1,15})\.(.*)$/su.exec(text) ?? [];
  if (part === undefined || place === undefined) throw invalid("cursor", "is not one that a page gave");
  return { part: part as SearchPosition["part"], place, userId: Number(userId) };
}
