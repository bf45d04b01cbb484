// authctl users show: one user (auth.admin.get-user).
import type { AdminGetUserResult } from "../../protocol/generated/schemas.ts";
import type { CommandResult, Invocation } from "../command.ts";
import { aligned } from "../terminal/table.ts";
import { asActor } from "./act.ts";

export async function usersShow(call: Invocation): Promise<CommandResult> {
  const [target = ""] = call.words;
  return asActor(call, async ({ client, actorToken }) => {
    const user = await client.request("auth.admin.get-user", { actorToken, target });
    return { document: user, lines: userLines(user) };
  });
}

function userLines(user: AdminGetUserResult): string[] {
  return aligned([
    ["id", String(user.userId)],
    ["login", user.login],
    ["username", user.username],
    ["e-mail", user.email],
    ["language", user.locale ?? "(the fleet's)"],
    ["confirmed", user.isVerified ? "yes" : "no"],
    ["banned", bannedText(user)],
    ...(user.banReason ? [["reason", user.banReason] as const] : []),
    ["roles", rolesText(user.roles) + (user.lastAdmin ? " (the last administrator)" : "")],
    ["sessions", Number.isInteger(user.sessions) ? String(user.sessions) : "?"],
    ["created", new Date(user.createdAt).toISOString()],
  ]);
}

/** A worker of an older version does not send the end. */
function bannedText({ isActive, bannedUntil }: AdminGetUserResult): string {
  if (isActive) return "no";
  return bannedUntil == null ? "yes, until it is lifted" : `yes, until ${new Date(bannedUntil).toISOString()}`;
}

export function rolesText(roles: readonly string[]): string {
  return roles.join(", ") || "(none)";
}
