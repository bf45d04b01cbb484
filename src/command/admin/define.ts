// defineAdminHandler(): an administrative command. Who acts, and that they have the permission, is checked before its
// handler is called. Every attempt that is refused for lack of a permission or of a second factor, or for a token that
// does not count, leaves a row of the audit and the event AdminRefused. A fault in the request itself does not.
//
// Where the actor is known the refusal is the stored answer of the request, so repeating it leaves no second row. Where
// the token does not count nothing is stored: with a good token the same request may be carried out. How many rows
// there can be is bounded (denials.ts); beyond that the answer is the same, and it is counted.
//
// A row names the target by id, or the role or the operator: what an actor without the right typed is not written
// anywhere.
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
  /** What it takes; the handler asks for more where it depends on the request. */
  permission: Permission;
  /** Beside what every such command has. */
  needs?: readonly C[];
  handle(request: Commands[T]["request"], ctx: Context<C>, actor: Actor): Promise<Commands[T]["result"]>;
}

const area = "auth.admin.";
/** An actor who is known was denied. */
const denied: ReadonlySet<RefusalCode> = new Set(["FORBIDDEN", "MFA_REQUIRED"]);
/** The token says nothing, or not any more. */
const unknown: ReadonlySet<RefusalCode> = new Set(["TOKEN_INVALID", "TOKEN_EXPIRED", "SESSION_REVOKED"]);
const nobody = "anonymous";

/** To know an operator, and to note who was denied. */
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
    async vouch(request, ctx) {
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
  /** Undefined: the token does not count. */
  actor: Actor | undefined;
  refusal: Refusal;
}

/** Leaves a row of the audit, where the refusal is one of a right. @returns the refusal */
async function noteDenial(ctx: Context<"denials">, { topic, request, actor, refusal }: Denial): Promise<Refusal> {
  const codes = actor === undefined ? unknown : denied;
  const name = actor?.name ?? nobody;
  if (!codes.has(refusal.code) || !ctx.denials.admit(name)) return refusal;
  const change = attempt(name, { topic, refusal, target: await targetIn(ctx, request) });
  if (actor !== undefined) return ctx.commitRefusal(change, refusal);
  await ctx.denials.commitAuditOnly(change, refusal.code);
  return refusal;
}

function attempt(actor: string, what: { topic: string; refusal: Refusal; target: string }): Change {
  const { code, details } = what.refusal;
  const command = what.topic.slice(area.length);
  const { permission = null } = details as { permission?: string };
  return {
    key: actor,
    events: [event("AdminRefused", { command, target: what.target, code, permission, more: 0 })],
    actor,
  };
}

/** The row that says how many attempts got none. */
export function uncounted(actor: string, more: number): Change {
  return {
    key: actor,
    events: [event("AdminRefused", { command: "", target: "", code: "", permission: null, more })],
    actor,
  };
}

/** `id:17`, `role:moderator`, `operator:ada`; empty where it is about nobody, or no such user. */
async function targetIn(ctx: Context, request: object): Promise<string> {
  const { target, role, name } = request as { target?: string; role?: string; name?: string };
  if (role !== undefined) return isRole(role) ? `role:${role}` : "";
  if (name !== undefined) return isOperatorName(name) ? `operator:${name}` : "";
  if (target === undefined) return "";
  const found = await ctx.read(profileOf(parseTarget(target)));
  return found === null || found.decoy ? "" : `id:${found.id}`;
}
