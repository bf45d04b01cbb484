// What the commands of authctl that change one user share: who acts, the question before, and the user as he was just before the act. What
// another operator does in between is not shown, and not lost in the fleet's events.
import type { AuthClient } from "../../client/types.ts";
import type { AdminGetUserResult } from "../../protocol/generated/schemas.ts";
import { type CommandResult, type Invocation, type Run, textOption } from "../command.ts";
import { actingFor } from "../connect/actor.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";

export interface OperatorCall {
  client: AuthClient;
  actorToken: string;
}

/** For what asks no question: a token, one connection, an answer. */
export async function asOperator(
  call: Invocation,
  act: (parts: OperatorCall) => Promise<CommandResult>,
): Promise<CommandResult> {
  const { target, actor } = await actingFor(call);
  return call.reach(target, async ({ client }) => act({ client, actorToken: await actor(client) }));
}

/** What stands before a question about who may not be missed. */
export function lastAdminText({ login, lastAdmin }: AdminGetUserResult): string {
  return lastAdmin ? `${login} is the last administrator. ` : "";
}

export interface Act {
  client: AuthClient;
  /** As an admin command takes it: who acts, on whom, why. */
  input: { actorToken: string; target: string; reason: string };
  user: AdminGetUserResult;
}

/** @param ask absent: nothing is asked. Gives the question. */
export async function actOnUser(
  call: Invocation,
  act: (parts: Act) => Promise<CommandResult>,
  ask?: (user: AdminGetUserResult) => string,
): Promise<CommandResult> {
  if (ask !== undefined) checkAskable(call);
  const reason = textOption(call, "reason") ?? "";
  const { target, actor } = await actingFor(call);
  const [login = ""] = call.words;
  return call.reach(target, async ({ client }) => {
    const user = await client.request("auth.admin.get-user", { actorToken: await actor(client), target: login });
    if (ask !== undefined && !(await confirmed(call, ask(user))))
      return {
        document: { userId: user.userId, login: user.login, done: false },
        lines: ["Nothing was done."],
        failed: true,
      };
    return act({ client, input: { actorToken: await actor(client), target: `id:${user.userId}`, reason }, user });
  });
}

export interface UserAct {
  /** Returns the question; absent: it asks nothing. */
  ask?(user: AdminGetUserResult): string;
  /** @returns what the document has besides the user, and a line for people */
  act(deps: Act): Promise<{ more?: object; line: string }>;
}

/** Runs a command that takes a login and a reason that may be left out, and nothing else. */
export function userAct({ ask, act }: UserAct): Run {
  return (call) =>
    actOnUser(
      call,
      async (deps) => {
        const { more, line } = await act(deps);
        const { userId, login } = deps.user;
        return { document: { userId, login, ...(ask && { done: true }), ...more }, lines: [line] };
      },
      ask,
    );
}
