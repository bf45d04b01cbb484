// authctl roles require-mfa: makes a role count only in sessions with a second factor (auth.admin.require-mfa).
import { type CommandResult, flagOption, type Invocation, textOption } from "../command.ts";
import { actingFor } from "../connect/actor.ts";

export async function rolesRequireMfa(call: Invocation): Promise<CommandResult> {
  const { target, actor } = await actingFor(call);
  const [role = ""] = call.words;
  const change = { role, required: !flagOption(call, "off"), reason: textOption(call, "reason") ?? "" };
  const done = await call.reach(target, async ({ client }) =>
    client.request("auth.admin.require-mfa", { actorToken: await actor(client), ...change }),
  );
  const { required, without } = done;
  const lines = required
    ? [`${role} requires a second factor. ${without} of those who have the role have none yet.`]
    : [`${role} requires no second factor.`];
  return { document: done, lines };
}
