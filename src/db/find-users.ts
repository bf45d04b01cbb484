// Finds users by the beginning of a login or an e-mail address. A beginning is an index range by bytes (COLLATE "C"),
// because a generic plan cannot turn LIKE into a range. Pages are ranges too, as fast in the middle of a million users
// as at the start. Most addresses begin like their users' logins; these users are found by login and skipped in the
// search by address, a bounded number per page, so a page may have fewer users than its limit (1,000,000 users, one
// letter: 430 ms with all skipped at once, 2 ms so). Not offered: searching inside a text, which needs the extension
// pg_trgm.
import { sql } from "slonik";
import { z } from "zod";
import type { Fragment, Read } from "./statements.ts";

/** Not a decoy (users.ts): those are in no result. */
const isSomebody = sql.fragment`NOT u.decoy`;

/** Each in a text of its own, so that the planner can use the small indexes on unconfirmed and banned users. */
const states = {
  any: isSomebody,
  unconfirmed: sql.fragment`u.confirmed_at IS NULL AND NOT is_banned(u.banned_at, u.banned_until) AND ${isSomebody}`,
  active: sql.fragment`u.confirmed_at IS NOT NULL AND NOT is_banned(u.banned_at, u.banned_until)`,
  banned: sql.fragment`u.banned_at IS NOT NULL AND is_banned(u.banned_at, u.banned_until) AND ${isSomebody}`,
} as const;
export type State = keyof typeof states;

export function isState(text: string): text is State {
  return Object.hasOwn(states, text) && text !== "any";
}

/** Users found by login come first, then those found by address only. */
export interface SearchPosition {
  part: "login" | "email";
  /**
   * Login or address, normalised, and id of the last user on the previous page: several accounts may wait with one
   * address.
   */
  place: string;
  userId: number;
}

export type Search = { state: State; limit: number; after: SearchPosition | undefined } & (
  | { beginning: string }
  | { id: number }
);

const user = z.object({
  part: z.enum(["login", "email"]),
  place: z.string(),
  userId: z.number(),
  login: z.string(),
  username: z.string(),
  email: z.string(),
  isVerified: z.boolean(),
  banned: z.boolean(),
  bannedUntil: z.number().nullable(),
  roles: z.array(z.string()),
  createdAt: z.number(),
});

const passedOver = 1000;
const lookedTo = z.object({ place: z.string(), userId: z.number() }).nullable();

const roles = sql.fragment`to_jsonb(ARRAY(
  SELECT r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id ORDER BY r.name))`;

export interface FoundUsers {
  /** One more than `limit` if there are more. */
  users: z.infer<typeof user>[];
  /** Up to where addresses were searched, if not to the end: more users may follow. */
  lookedTo: Omit<SearchPosition, "part"> | null;
}

export function findUsers(search: Search): Read<FoundUsers> {
  const most = search.limit + 1;
  const select = sql.fragment`
    WITH by_login AS MATERIALIZED (${"id" in search ? byId(search.id, search.state) : byLogin(search, search.beginning)}),
    by_email AS MATERIALIZED (${"id" in search ? nobody : byEmail(search, search.beginning)}),
    found AS (
      SELECT id, 'login' AS part, place FROM by_login
      UNION ALL SELECT id, 'email', place FROM by_email WHERE fits
      ORDER BY part DESC, place, id LIMIT ${most})
    SELECT COALESCE(jsonb_agg(jsonb_build_object('part', found.part, 'place', found.place, 'userId', u.id, 'login', u.login,
        'username', u.username, 'email', u.email, 'isVerified', u.confirmed_at IS NOT NULL,
        'banned', is_banned(u.banned_at, u.banned_until),
        'bannedUntil', CASE WHEN is_banned(u.banned_at, u.banned_until) THEN round(extract(epoch FROM u.banned_until) * 1000) END,
        'createdAt', round(extract(epoch FROM u.created_at) * 1000), 'roles', ${roles})
      ORDER BY found.part DESC, found.place, found.id), '[]') AS users,
      (SELECT CASE WHEN (SELECT count(*) FROM by_email) = ${passedOver} THEN jsonb_build_object('place', place, 'userId', id) END
        FROM by_email ORDER BY place DESC, id DESC LIMIT 1) AS "lookedTo"
    FROM found JOIN users u ON u.id = found.id`;
  return { select, row: z.object({ users: z.array(user), lookedTo }) };
}

const loginKey = sql.fragment`u.login_key COLLATE "C"`;
const emailKey = sql.fragment`u.email_key COLLATE "C"`;
const nobody = sql.fragment`SELECT 0::bigint AS id, ''::text COLLATE "C" AS place, false AS fits WHERE false`;

function byId(id: number, state: State): Fragment {
  return sql.fragment`SELECT u.id, ${loginKey} AS place FROM users u WHERE u.id = ${id} AND ${states[state]}`;
}

function byLogin({ state, limit, after }: Search, beginning: string): Fragment {
  if (after?.part === "email") return nobody;
  return sql.fragment`
    SELECT u.id, ${loginKey} AS place FROM users u
    WHERE ${begins(loginKey, beginning)} AND ${states[state]} AND ${loginKey} > ${after?.place ?? ""}
    ORDER BY ${loginKey} LIMIT ${limit + 1}`;
}

/** Only searched where the logins leave room. With an empty beginning the logins contain everybody. */
function byEmail({ state, limit, after }: Search, beginning: string): Fragment {
  if (beginning === "") return nobody;
  const from = after?.part === "email" ? after : { place: "", userId: 0 };
  return sql.fragment`
    SELECT u.id, ${emailKey} AS place, NOT (${begins(loginKey, beginning)}) AND ${states[state]} AS fits FROM users u
    WHERE ${begins(emailKey, beginning)} AND (${emailKey}, u.id) > (${from.place}, ${from.userId}::bigint)
      AND (SELECT count(*) FROM by_login) <= ${limit}
    ORDER BY ${emailKey}, u.id LIMIT ${passedOver}`;
}

/** U+10FFFF is the last code point in UTF-8 order and never part of a login or address. */
function begins(column: Fragment, beginning: string): Fragment {
  return sql.fragment`${column} >= ${beginning} AND ${column} < ${`${beginning}\u{10FFFF}`}`;
}
