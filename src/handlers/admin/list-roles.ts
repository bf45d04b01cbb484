// List-roles: all roles with what they permit.
// Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN.
import { allRoles } from "../../db/roles.ts";
import { defineHandler } from "../define.ts";
import { adminOf } from "./actor.ts";

export const listRoles = defineHandler({
  topic: "auth.admin.list-roles",
  lane: "db",
  once: false,
  async handle({ actorToken }, ctx) {
    await adminOf(ctx, actorToken, "roles.read");
    return { roles: (await ctx.read(allRoles()))?.roles ?? [] };
  },
});
