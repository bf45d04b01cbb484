// What administrators' commands, the platform's JSON topics and, where it is deleted, its owner do to an account alike:
// ban it, lift the ban, delete it. Banning and deleting end every session and every access token; lifting a ban brings
// none of them back.

import type { Capabilities, Change, Context } from "../command/context.ts";
import { event } from "../command/events.ts";
import { purposes, voidLinks } from "../db/one-time-tokens.ts";
import { erasures } from "../db/personal-data.ts";
import { adminBeside, demandAdminBeside } from "../db/roles.ts";
import { endSessionsOf } from "../db/sessions.ts";
import type { Write } from "../db/statements.ts";
import { banUser, deleteUser, type Profile, unbanUser } from "../db/users.ts";
import { type Refusal, refuse } from "../protocol/errors.ts";

export interface AccountAction {
  actor: string;
  reason: string;
  /** What must hold besides: keepAnAdmin. */
  demands?: Write[];
}

/**
 * Whom administrators and operators may look at and act on. A decoy (account/register.ts) is told apart from nobody,
 * but only by a sentence: shown as a user it would be taken for a person, with an address that is none, and acted on it
 * would make events about nobody; kept quiet, its login would be free for `users show` and taken for `users
 * create-admin`.
 * @throws Refusal NOT_FOUND; details.reason `decoy`
 */
export function requireUser<T extends { decoy: boolean }>(found: T | null): T {
  if (found === null) throw noSuchUser();
  if (!found.decoy) return found;
  const message =
    "There is no such user. The login is kept taken for a while by a registration whose e-mail address has an account (AUTH_HIDE_EMAIL).";
  throw refuse("NOT_FOUND", { message, details: { reason: "decoy" } });
}

export function noSuchUser(): Refusal {
  return refuse("NOT_FOUND", { message: "There is no such user." });
}

/**
 * Of this role a fleet that has one user never runs out by what users do. It permits all that the service itself asks
 * for.
 */
export const adminRole = "admin";

type AdminStatus = Pick<Profile, "id" | "roles" | "banned" | "confirmed">;

/**
 * For what may leave the fleet without an administrator: taking the role from a user, banning or deleting them.
 * @returns what the commit must demand.
 * @throws Refusal FORBIDDEN, reason last-admin, where nobody else has the role and can log in
 */
export async function keepAnAdmin(ctx: Context, user: AdminStatus): Promise<Write[]> {
  if (!user.roles.includes(adminRole) || user.banned || !user.confirmed) return [];
  const others = await ctx.read(adminBeside(user.id));
  if (others?.beside === true) return [demandAdminBeside(user.id)];
  const message = "This is the last administrator who can log in: make another one first.";
  throw refuse("FORBIDDEN", { message, details: { reason: "last-admin" } });
}

/** @param until when the ban ends by itself, Unix ms; null: when it is lifted */
export function ban(
  { id, generation }: Profile,
  until: number | null,
  { actor, reason, demands = [] }: AccountAction,
): Change {
  return {
    user: { id, subject: banUser(id, { until, reason }, { generation }), generation: generation + 1 },
    events: [event("UserBanned", { reason, until })],
    writes: [...demands, endSessionsOf(id, "banned"), voidLinks(id, { of: purposes })],
    actor,
  };
}

export function unban({ id }: Profile, { actor, reason }: AccountAction): Change {
  return { user: { id, subject: unbanUser(id) }, events: [event("UserUnbanned", { reason })], actor };
}

/**
 * The account and all that is personal about its user (db/personal-data.ts); a login that was ever confirmed stays
 * taken for a while.
 */
export function erase(
  ctx: Pick<Capabilities, "givenUpLogins">,
  user: Pick<Profile, "id" | "generation" | "login" | "confirmed">,
  deed: AccountAction,
): Change {
  return erasing(user, deed, { confirmed: user.confirmed, kept: ctx.givenUpLogins.keep(user) });
}

/**
 * The same of an account that nobody confirmed: its login is free at once. Where somebody has confirmed it meanwhile
 * nothing happens.
 */
export function eraseUnconfirmed(user: Pick<Profile, "id" | "generation">, deed: AccountAction): Change {
  return erasing(user, deed, { confirmed: false, kept: [] });
}

function erasing(
  { id, generation }: Pick<Profile, "id" | "generation">,
  { actor, reason, demands = [] }: AccountAction,
  { confirmed, kept }: { confirmed: boolean; kept: Write[] },
): Change {
  return {
    user: { id, subject: deleteUser(id, { confirmed, generation }), generation: generation + 1, deleted: true },
    events: [event("UserDeleted", { reason })],
    writes: [...demands, ...erasures(id), ...kept],
    actor,
  };
}
