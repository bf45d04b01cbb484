// Who gives an administrative command, and whom it is about. The actor is an operator with a token that authctl signed, or a user
// with the role admin. The target is a login, or `id:<number>`.
import { type Profile, profileById, profileByLogin } from "../../db/users.ts";
import { invalid, Refusal, refuse } from "../../errors.ts";
import { normalize } from "../../record-key.ts";
import type { Context } from "../context.ts";
import { checkToken } from "../input.ts";
import { bearerOf, unlessAnswered } from "../session/access.ts";

/** @returns the actor's name for events. @throws Refusal TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN */
export async function adminOf(ctx: Context, actorToken: string): Promise<string> {
  checkToken("actorToken", actorToken);
  const operator = await operatorOf(ctx, actorToken);
  if (operator !== undefined) return operator;
  const { userId, roles } = await bearerOf(ctx, actorToken, "actorToken");
  if (!roles.includes("admin")) throw refuse("FORBIDDEN");
  return `user:${userId}`;
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
  const id = /^id:(\d{1,15})$/i.exec(target)?.[1];
  const profile = await ctx.read(id === undefined ? profileByLogin(normalize(target)) : profileById(Number(id)));
  if (profile === null) throw refuse("NOT_FOUND", { message: "There is no such user." });
  return profile;
}

/** It stands in an event, which every service reads. @throws Refusal INVALID_INPUT */
export function checkReason(reason: string): void {
  if (reason.length > 1000) throw invalid("reason", "must not have more than 1000 characters");
}
