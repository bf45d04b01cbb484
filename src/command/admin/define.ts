// defineAdminHandler() declares an administrative command. The actor and their permission are checked before the
// handler runs. A refusal for a missing permission, a missing second factor or an invalid token leaves an audit row and
// the event AdminRefused; a fault in the request itself does not.
//
// With a known actor, the refusal is the stored answer, so repeating the request adds no second row. With an invalid
// token nothing is stored: the same request may succeed with a valid one. The number of rows is bounded (denials.ts);
// beyond the bound refusals are counted only.
//
// A row names the target by id, or the role or operator. What an unauthorized actor typed is never stored.
import { isOperatorName } from "../../crypto/operators.ts";
import { profileOf } from "../../db/users.ts";
import { Refusal, type RefusalCode } from "../../protocol/errors.ts";
import type { Commands } from "../../protocol/generated/schemas.ts";
import { parseTarget } from "../../protocol/target.ts";
import type { Capability, Change, Context } from "../context.ts";
import { defineHandler, type Handler } from "../define.ts";
import { event } from "../events.ts";
import { type Actor, demandPermission, requireActor } from "./actor.ts";
import { isRole, type Permission } from "./permissions.ts";

type AdminTopic = Extract<keyof Commands, `auth.admin.${string}`>;

export interface AdminHandler<T extends AdminTopic, C extends Capability = never> {
  topic: T;
  /** The permission it requires; a handler checks further ones that depend on the request. */
  permission: Permission;
  /** Capabilities beyond those that every such command has. */
  needs?: readonly C[];
  handle(request: Commands[T]["request"], ctx: Context<C>, actor: Actor): Promise<Commands[T]["result"]>;
}

const area = "auth.admin.";
/** Refusals of a known actor. */
const denied: ReadonlySet<RefusalCode> = new Set(["FORBIDDEN", "MFA_REQUIRED"]);
/** Refusals of a token that is invalid or no longer valid. */
const unknown: ReadonlySet<RefusalCode> = new Set(["TOKEN_INVALID", "TOKEN_EXPIRED", "SESSION_REVOKED"]);
const nobody = "anonymous";

/** For loading operators, and for recording refusals. */
type AdminCapability = "operators" | "denials";

export function defineAdminHandler<T extends AdminTopic, C extends Capability = never>({
  topic,
  permission,
  needs = [],
  handle,
}: AdminHandler<T, C>): Handler<T, C | AdminCapability> {
  return defineHandler<T, C | AdminCapability>({
    topic,
    needs: ["operators", "denials", ...needs],
    lane: "db",
    storesAnswer: true, // also where it only reads: a refusal is a change
    async verifyActor(request, ctx) {
      await requireActor(ctx, request.actorToken);
    },
    async handle(request, ctx) {
      let actor: Actor | undefined;
      try {
        actor = await requireActor(ctx, request.actorToken);
        await demandPermission(ctx, actor, permission);
        return await handle(request, ctx, actor);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        throw await noteDenial(ctx, { topic, request, actor, refusal: error });
      }
    },
  });
}

interface Denial {
  topic: string;
  request: object;
  /** Undefined where the token is not valid. */
  actor: Actor | undefined;
  refusal: Refusal;
}

/** Leaves an audit row if the refusal concerns a right. @returns the refusal */
async function noteDenial(ctx: Context<"denials">, { topic, request, actor, refusal }: Denial): Promise<Refusal> {
  const codes = actor === undefined ? unknown : denied;
  const name = actor?.name ?? nobody;
  if (!codes.has(refusal.code) || !ctx.denials.mayWriteRow(name)) return refusal;
  const change = refusedAttempt(name, { topic, refusal, target: await targetIn(ctx, request) });
  if (actor !== undefined) return ctx.commitRefusal(change, refusal);
  await ctx.denials.commitAuditOnly(change, refusal.code);
  return refusal;
}

function refusedAttempt(actor: string, what: { topic: string; refusal: Refusal; target: string }): Change {
  const { code, details } = what.refusal;
  const command = what.topic.slice(area.length);
  const { permission = null } = details as { permission?: string };
  return {
    key: actor,
    events: [event("AdminRefused", { command, target: what.target, code, permission, more: 0 })],
    actor,
  };
}

/** The row that says how many refusals got no row of their own. */
export function uncounted(actor: string, more: number): Change {
  return {
    key: actor,
    events: [event("AdminRefused", { command: "", target: "", code: "", permission: null, more })],
    actor,
  };
}

/** `id:17`, `role:moderator`, `operator:ada`; empty without a target, or for an unknown user. */
async function targetIn(ctx: Context, request: object): Promise<string> {
  const { target, role, name } = request as { target?: string; role?: string; name?: string };
  if (role !== undefined) return isRole(role) ? `role:${role}` : "";
  if (name !== undefined) return isOperatorName(name) ? `operator:${name}` : "";
  if (target === undefined) return "";
  const found = await ctx.read(profileOf(parseTarget(target)));
  return found === null || found.decoy ? "" : `id:${found.id}`;
}
