// Add-operator: enrols an operator with their own key, or adds a key to an existing operator, so that keys can be
// replaced without a gap. Nobody can enrol an operator with permissions that they lack, or add a key to one: with it
// they could act in that name. Refuses INVALID_INPUT (also a private key, and permissions for an existing operator),
// TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, FORBIDDEN.

import {
  checkOperatorName,
  mostKeys,
  mostOperators,
  operatorKey,
  operatorNamed,
  operatorPermissions,
} from "../../accounts/operators.ts";
import { checkReason } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { demandAll } from "../../command/admin/rank.ts";
import { event } from "../../command/events.ts";
import { encryptOperator } from "../../crypto/operators.ts";
import { changeOperator, insertOperator, operatorRows } from "../../db/operators.ts";
import { invalid } from "../../protocol/errors.ts";

export default defineAdminHandler({
  topic: "auth.admin.add-operator",
  permission: "operators.manage",
  needs: ["operators"],
  async handle({ name, publicKey, permissions: asked, reason }, ctx, actor) {
    checkOperatorName(name);
    checkReason(reason);
    const key = { ...(await operatorKey(publicKey)), addedAt: ctx.now() };
    const before = await operatorNamed(ctx, name);
    const permissions = before?.permissions ?? operatorPermissions(asked);
    demandAll(actor, permissions);
    if (before === null && permissions.length === 0) throw invalid("permissions", "must say what the operator may do");
    if (before !== null && asked.length > 0)
      throw invalid("permissions", `${name} is there already, and may do what they may: leave this empty to add a key`);
    const keys = before?.keys ?? [];
    if (keys.some(({ kid }) => kid === key.kid)) throw invalid("publicKey", `${name} has this key already`);
    if (keys.length >= mostKeys)
      throw invalid("publicKey", `an operator has at most ${mostKeys} keys: remove one first`);
    if (before === null && ((await ctx.read(operatorRows()))?.operators.length ?? 0) >= mostOperators)
      throw invalid("name", `there are ${mostOperators} operators, and may be no more`);
    const encrypted = encryptOperator(ctx.operators.cipher(), { name, permissions, keys: [...keys, key] });
    return ctx.commit(
      {
        key: `operator:${name}`,
        events: [event("OperatorAdded", { operator: name, kid: key.kid, permissions, reason })],
        writes: [before === null ? insertOperator(name, encrypted) : changeOperator(before, encrypted)],
        actor: actor.name,
      },
      { name, kid: key.kid, permissions },
    );
  },
});
