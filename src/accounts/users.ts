// Banning, unbanning and deleting an account, as administrators, the platform's JSON topics and the owner do it. A ban
// or a deletion ends every session and access token; unbanning restores none of them.

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
  /** Further demands of the commit: keepAnAdmin. */
  demands?: Write[];
}

/**
 * The user that an administrator or operator may see and act on. A decoy (handlers/account/register.ts) is NOT_FOUND
 * too, with a message that explains it. Shown as a user it would look like a person with an address, and acting on it
 * would create events about nobody; without the message its login would be free for `users show` and taken for `users
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

/** A fleet with a user who has this role never loses its last one. It permits everything the service itself checks. */
export const adminRole = "admin";

type AdminStatus = Pick<Profile, "id" | "roles" | "banned" | "confirmed">;

/**
 * For acts that may leave no administrator: taking the role from a user, banning or deleting them.
 * @returns what the commit must demand
 * @throws Refusal FORBIDDEN, reason last-admin, where no other user with the role can log in
 */
export async function keepAnAdmin(ctx: Context, user: AdminStatus): Promise<Write[]> {
  if (!user.roles.includes(adminRole) || user.banned || !user.confirmed) return [];
  const others = await ctx.read(adminBeside(user.id));
  if (others?.beside === true) return [demandAdminBeside(user.id)];
  const message = "This is the last administrator who can log in: make another one first.";
  throw refuse("FORBIDDEN", { message, details: { reason: "last-admin" } });
}

/** @param until when the ban ends by itself, Unix ms; null: when an administrator lifts it */
export function ban(
  { id, generation }: Profile,
  until: number | null,
  { actor, reason, demands = [] }: AccountAction,
): Change {
  return {
    user: { id, lock: banUser(id, { until, reason }, { generation }), generation: generation + 1 },
    events: [event("UserBanned", { reason, until })],
    writes: [...demands, endSessionsOf(id, "banned"), voidLinks(id, { of: purposes })],
    actor,
  };
}

export function unban({ id }: Profile, { actor, reason }: AccountAction): Change {
  return { user: { id, lock: unbanUser(id) }, events: [event("UserUnbanned", { reason })], actor };
}

/**
 * Deletes the account and all personal data of its user (db/personal-data.ts); a login that was ever confirmed stays
 * reserved for a while.
 */
export function erase(
  ctx: Pick<Capabilities, "quarantinedLogins">,
  user: Pick<Profile, "id" | "generation" | "login" | "confirmed">,
  action: AccountAction,
): Change {
  return erasing(user, action, { confirmed: user.confirmed, kept: ctx.quarantinedLogins.keep(user) });
}

/** Deletes an account that nobody confirmed; its login is free at once. Does nothing if it was confirmed meanwhile. */
export function eraseUnconfirmed(user: Pick<Profile, "id" | "generation">, action: AccountAction): Change {
  return erasing(user, action, { confirmed: false, kept: [] });
}

function erasing(
  { id, generation }: Pick<Profile, "id" | "generation">,
  { actor, reason, demands = [] }: AccountAction,
  { confirmed, kept }: { confirmed: boolean; kept: Write[] },
): Change {
  return {
    user: { id, lock: deleteUser(id, { confirmed, generation }), generation: generation + 1, deleted: true },
    events: [event("UserDeleted", { reason })],
    writes: [...demands, ...erasures(id), ...kept],
    actor,
  };
}
