// Set-roles: gives a user exactly these roles. Access tokens from before stop counting; a refresh gives one with the new roles.
// Refuses INVALID_INPUT (also an unknown role), TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN, NOT_FOUND.
import { raiseGeneration, replaceRoles, unknownRoles } from "../../db/users.ts";
import { invalid } from "../../errors.ts";
import { defineHandler } from "../define.ts";
import { fact } from "../facts.ts";
import { adminOf, targetOf } from "./actor.ts";

const maxRoles = 64;

export const setRoles = defineHandler({
  topic: "auth.admin.set-roles",
  lane: "db",
  once: true,
  async handle({ actorToken, target, roles: asked, reason }, ctx) {
    if (asked.length > maxRoles) throw invalid("roles", `must be at most ${maxRoles}`);
    const actor = await adminOf(ctx, actorToken);
    const { id, generation } = await targetOf(ctx, target);
    const roles = [...new Set(asked)].sort();
    const unknown = await ctx.read(unknownRoles(roles));
    if (unknown !== null && unknown.unknown.length > 0)
      throw invalid("roles", `there is no role ${unknown.unknown.join(", ")}`);
    return ctx.commit(
      {
        user: { id, subject: raiseGeneration(id, { generation }), generation: generation + 1 },
        facts: [fact("RolesChanged", { roles, reason })],
        writes: replaceRoles(id, roles),
        actor,
      },
      { userId: id, roles },
    );
  },
});
