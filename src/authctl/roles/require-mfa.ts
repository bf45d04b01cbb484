// authctl roles require-mfa: over auth.admin.require-mfa with an operator token.

import { type Command, textOption } from "../command.ts";
import { actingFor } from "../connect/actor.ts";
import { actHelp, actOptions } from "../users/act.ts";

export const rolesRequireMfa: Command = {
  name: "roles require-mfa",
  usage: "ROLE [--off] [--reason TEXT] [--as NAME]",
  summary: "makes a role count only in sessions that were opened with a second factor",
  help: `From then on a session that was opened with a password alone does not bear the role: its user logs in and may set up a factor, and has
the role once he has shown it. Nobody is locked out. The fleet goes by it at once; services that check access tokens by themselves
do when the token is renewed, within AUTH_ACCESS_TTL.

  --off           the role counts in every session again
  --reason TEXT   why; stands in the event MfaRequirementChanged
  --as NAME       as this operator, also where an administrator is logged in

${actHelp}`,
  needs: ["ROLE"],
  options: { ...actOptions, off: { type: "boolean" } },
  async run(call) {
    const { target, actor } = await actingFor(call);
    const [role = ""] = call.words;
    const change = { role, required: call.options["off"] !== true, reason: textOption(call, "reason") ?? "" };
    const done = await call.reach(target, async ({ client }) =>
      client.request("auth.admin.require-mfa", { actorToken: await actor(client), ...change }),
    );
    const { required, without } = done;
    const lines = required
      ? [`${role} requires a second factor. ${without} of those who have the role have none yet.`]
      : [`${role} requires no second factor.`];
    return { document: done, lines };
  },
};
