// Who gives an administrative command, and whom it is about. The actor is an operator with a token that authctl signed, who may do
// everything, or a user, who may do what their roles permit, and that to nobody who may do more (rank.ts). The target is a login, or
// `id:<number>`.
import { factorsOf } from "../../db/factors.ts";
import { permissionsOf, permissionsOfRoles, rolesOf } from "../../db/roles.ts";
import { type Profile, profileOf } from "../../db/users.ts";
import { invalid, Refusal, refuse } from "../../errors.ts";
import { parseTarget } from "../../target.ts";
import { somebody } from "../accounts.ts";
import { factorMethods } from "../challenges.ts";
import type { Context } from "../context.ts";
import { checkToken } from "../input.ts";
import { bearerOf, unlessAnswered } from "../session/access.ts";
import type { Permission } from "./permissions.ts";
import { demandRank, lacks, type Rights } from "./rank.ts";

export interface Actor extends Rights {
  /** For events. */
  name: string;
  /** Null: an operator. */
  userId: number | null;
}

/** By the roles that the user's session bears. @throws Refusal INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED */
export async function actorOf(ctx: Context, actorToken: string): Promise<Actor> {
  checkToken("actorToken", actorToken);
  const operator = await operatorOf(ctx, actorToken);
  if (operator !== undefined) return { name: operator, userId: null, holds: () => true };
  const { userId, roles } = await bearerOf(ctx, actorToken, "actorToken");
  const held = new Set((await ctx.read(permissionsOfRoles(roles)))?.permissions);
  return { name: `user:${userId}`, userId, holds: (each) => held.has(each) };
}

/** @throws Refusal FORBIDDEN (details.permission: what is lacking), MFA_REQUIRED (details.action) */
export async function demandPermission(ctx: Context, actor: Actor, permission: Permission): Promise<void> {
  if (actor.userId !== null && !actor.holds(permission)) throw await withoutRight(ctx, actor.userId, permission);
}

/** Of a command that changes something of its target. @throws what targetOf throws; FORBIDDEN for a target who may do more */
export async function subjectOf(ctx: Context, actor: Actor, target: string): Promise<Profile> {
  const user = await targetOf(ctx, target);
  if (actor.userId !== null) demandRank(actor, (await ctx.read(rolesOf(user.id)))?.roles ?? [], "act-on-holder");
  return user;
}

/** A user who has the permission, but by a role that this session does not bear, is told how to get it. */
async function withoutRight(ctx: Context, userId: number, permission: Permission): Promise<Refusal> {
  const [held, factors] = [await ctx.read(permissionsOf(userId)), await ctx.read(factorsOf(userId))];
  if (factors === null || held?.permissions.includes(permission) !== true) return lacks(permission);
  const action = factorMethods(factors).length > 0 ? "login" : "enroll";
  return refuse("MFA_REQUIRED", { details: { action, reason: "role", role: factors.strongRoles.join(" ") } });
}

async function operatorOf(ctx: Context, token: string): Promise<string | undefined> {
  try {
    const { name } = await unlessAnswered(ctx, () => ctx.tokens.verifyOperator(token));
    return `operator:${name}`;
  } catch (error) {
    if (error instanceof Refusal && error.code === "TOKEN_INVALID") return undefined; // it may be a user's
    throw error;
  }
}

/** @throws Refusal NOT_FOUND, INVALID_INPUT */
export async function targetOf(ctx: Context, target: string): Promise<Profile> {
  if (target === "") throw invalid("target", "must be a login or id:<number>");
  return somebody(await ctx.read(profileOf(parseTarget(target))));
}

/** It stands in an event, which every service reads. @throws Refusal INVALID_INPUT */
export function checkReason(reason: string): void {
  if (reason.length > 1000) throw invalid("reason", "must not have more than 1000 characters");
}
