// The actor and the target of an administrative command. The actor is a user with the permissions of their roles, or an
// operator, who signs with their own key and has the permissions they were enrolled with. Nobody may act on a user who
// may do more (rank.ts). The target is a login or `id:<number>`.

import { requireBearer } from "../../accounts/bearer.ts";
import { factorMethods } from "../../accounts/challenges.ts";
import { checkToken } from "../../accounts/input.ts";
import { operatorNamed } from "../../accounts/operators.ts";
import { requireUser } from "../../accounts/users.ts";
import { everything, type OperatorClaim, peekOperator, verifyOperatorToken } from "../../crypto/operators.ts";
import { factorsOf } from "../../db/factors.ts";
import { permissionsOf, permissionsOfRoles, rolesOf } from "../../db/roles.ts";
import { type Profile, profileOf } from "../../db/users.ts";
import { invalid, type Refusal, refuse } from "../../protocol/errors.ts";
import { parseTarget } from "../../protocol/target.ts";
import type { Context } from "../context.ts";
import type { Permission } from "./permissions.ts";
import { demandRank, lacks, type PermissionHolder } from "./rank.ts";

export interface Actor extends PermissionHolder {
  /** For events. */
  name: string;
  /** Null: an operator. */
  userId: number | null;
}

/**
 * A user has the roles that the session carries, an operator what their row says now.
 * @throws Refusal INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED
 */
export async function requireActor(ctx: Context<"operators">, actorToken: string): Promise<Actor> {
  checkToken("actorToken", actorToken);
  const claim = peekOperator(actorToken);
  if (claim !== undefined) return requireOperator(ctx, actorToken, claim);
  const { userId, roles } = await requireBearer(ctx, actorToken, "actorToken");
  const held = new Set((await ctx.read(permissionsOfRoles(roles)))?.permissions);
  return { name: `user:${userId}`, userId, holds: (each) => held.has(each) };
}

async function requireOperator(ctx: Context<"operators">, token: string, { name, kid }: OperatorClaim): Promise<Actor> {
  const operator = name === undefined ? null : await operatorNamed(ctx, name);
  const key = operator?.keys.find((each) => each.kid === kid);
  if (operator === null || key === undefined) throw await unknownToken(ctx);
  const verifying = { name: operator.name, key, issuer: ctx.settings.issuer, now: ctx.call.recordedAt };
  await verifyOperatorToken(token, verifying);
  const held = new Set(operator.permissions);
  return { name: `operator:${operator.name}`, userId: null, holds: (each) => held.has(everything) || held.has(each) };
}

/** A repeated request gets its stored answer even if its operator was removed since. */
async function unknownToken(ctx: Context): Promise<Refusal> {
  await ctx.checkInbox();
  return refuse("TOKEN_INVALID");
}

/** @throws Refusal FORBIDDEN (details.permission: the missing one), MFA_REQUIRED (details.action) */
export async function demandPermission(ctx: Context, actor: Actor, permission: Permission): Promise<void> {
  if (actor.holds(permission)) return;
  throw actor.userId === null ? lacks(permission) : await withoutRight(ctx, actor.userId, permission);
}

/**
 * The target of a command that changes something about them.
 * @throws what requireTarget throws; FORBIDDEN for a target who may do more than the actor
 */
export async function targetProfile(ctx: Context, actor: Actor, target: string): Promise<Profile> {
  const user = await requireTarget(ctx, target);
  demandRank(actor, (await ctx.read(rolesOf(user.id)))?.roles ?? [], "act-on-holder");
  return user;
}

/** Tells a user whose session lacks a role of theirs how to get it. */
async function withoutRight(ctx: Context, userId: number, permission: Permission): Promise<Refusal> {
  const [held, factors] = [await ctx.read(permissionsOf(userId)), await ctx.read(factorsOf(userId))];
  if (factors === null || held?.permissions.includes(permission) !== true) return lacks(permission);
  const action = factorMethods(factors).length > 0 ? "login" : "enroll";
  return refuse("MFA_REQUIRED", { details: { action, reason: "role", role: factors.strongRoles.join(" ") } });
}

/** @throws Refusal NOT_FOUND, INVALID_INPUT */
export async function requireTarget(ctx: Context, target: string): Promise<Profile> {
  if (target === "") throw invalid("target", "must be a login or id:<number>");
  return requireUser(await ctx.read(profileOf(parseTarget(target))));
}

/** Reasons are part of events, which every service may read. @throws Refusal INVALID_INPUT */
export function checkReason(reason: string): void {
  if (reason.length > 1000) throw invalid("reason", "must not have more than 1000 characters");
}
