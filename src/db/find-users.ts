// Finding users by the beginning of a login or of an e-mail address. A beginning is a range of an index by bytes
// (COLLATE "C"), because a plan made before the value is known cannot make a range of LIKE. Pages are ranges too: as
// fast in the middle of a million as at the start. Most addresses begin as their users' logins do, and are passed over,
// because those were found by their login: not more than so many for one page, which may then hold less than it could
// (1,000,000 users, one letter: 430 ms when all were passed over at once, 2 ms so). A search within a text would need
// trigrams (pg_trgm), which not every PostgreSQL has: not offered.
import { sql } from "slonik";
import { z } from "zod";
import type { Fragment, Read } from "./statements.ts";

/** No decoy (users.ts): nobody has heard of those. */
const isSomebody = sql.fragment`NOT u.decoy`;

/** In a text of its own each, so that the planner may take the small index of those who are unconfirmed or banned. */
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

/** Those found by their login come first, then those found by their address alone. */
export interface SearchPosition {
  part: "login" | "email";
  /**
   * The login or address, normalised, of the last one on the page before, and the id: several may wait with one
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
  /** One more than `limit`, where there is one. */
  users: z.infer<typeof user>[];
  /** Up to where all addresses were looked at, where that is not the last one: there may be more users after it. */
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

/** Looked at only where the logins leave room. All begin with nothing: then the logins have everybody. */
function byEmail({ state, limit, after }: Search, beginning: string): Fragment {
  if (beginning === "") return nobody;
  const from = after?.part === "email" ? after : { place: "", userId: 0 };
  return sql.fragment`
    SELECT u.id, ${emailKey} AS place, NOT (${begins(loginKey, beginning)}) AND ${states[state]} AS fits FROM users u
    WHERE ${begins(emailKey, beginning)} AND (${emailKey}, u.id) > (${from.place}, ${from.userId}::bigint)
      AND (SELECT count(*) FROM by_login) <= ${limit}
    ORDER BY ${emailKey}, u.id LIMIT ${passedOver}`;
}

/** U+10FFFF is the last of all code points in UTF-8, and in no login or address. */
function begins(column: Fragment, beginning: string): Fragment {
  return sql.fragment`${column} >= ${beginning} AND ${column} < ${`${beginning}\u{10FFFF}`}`;
}
