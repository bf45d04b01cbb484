// Remove-operator: removes an operator, or one of their keys; without a key left, the operator. Their tokens are
// invalid from the next request on. Operators may remove themselves. After the last one, a first operator is enrolled
// again with the master key (authctl operators add --first). Refuses INVALID_INPUT, TOKEN_INVALID, TOKEN_EXPIRED,
// SESSION_REVOKED, FORBIDDEN (also for one who may do more), NOT_FOUND.

import { checkOperatorName, operatorNamed } from "../../accounts/operators.ts";
import { checkReason } from "../../command/admin/actor.ts";
import { defineAdminHandler } from "../../command/admin/define.ts";
import { demandAll } from "../../command/admin/rank.ts";
import { event } from "../../command/events.ts";
import { encryptOperator } from "../../crypto/operators.ts";
import { changeOperator, deleteOperator } from "../../db/operators.ts";
import { refuse } from "../../protocol/errors.ts";

export default defineAdminHandler({
  topic: "auth.admin.remove-operator",
  permission: "operators.manage",
  needs: ["operators"],
  async handle({ name, kid, reason }, ctx, actor) {
    checkOperatorName(name);
    checkReason(reason);
    const before = await operatorNamed(ctx, name);
    if (before === null) throw refuse("NOT_FOUND", { message: `There is no operator ${name}.` });
    demandAll(actor, before.permissions);
    const keys = kid === null ? [] : before.keys.filter((key) => key.kid !== kid);
    if (kid !== null && keys.length === before.keys.length)
      throw refuse("NOT_FOUND", { message: `The operator ${name} has no such key.` });
    const removed = keys.length === 0;
    return ctx.commit(
      {
        key: `operator:${name}`,
        events: [event("OperatorRemoved", { operator: name, kid: removed ? null : kid, reason })],
        writes: [
          removed
            ? deleteOperator(before)
            : changeOperator(before, encryptOperator(ctx.operators.cipher(), { ...before, keys })),
        ],
        actor: actor.name,
      },
      { name, removed },
    );
  },
});
