// What the commands that change one user share: the actor, the question, and the user as they were just before. A
// change by another operator in between is not shown, but its events are not lost.
import type { AuthClient } from "../../client/types.ts";
import type { AdminGetUserResult } from "../../protocol/generated/schemas.ts";
import { type CommandResult, type Invocation, type Run, textOption } from "../command.ts";
import { actingFor } from "../connect/actor.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";

export interface ActorCall {
  client: AuthClient;
  actorToken: string;
}

/** For commands that ask no question: a token, one connection, a result. */
export async function asActor(
  call: Invocation,
  act: (deps: ActorCall) => Promise<CommandResult>,
): Promise<CommandResult> {
  const { target, actor } = await actingFor(call);
  return call.reach(target, async ({ client }) => act({ client, actorToken: await actor(client) }));
}

/** What precedes a question about the last administrator. */
export function lastAdminText({ login, lastAdmin }: AdminGetUserResult): string {
  return lastAdmin ? `${login} is the last administrator. ` : "";
}

export interface Act {
  client: AuthClient;
  /** As an admin command takes it: the actor, the user, the reason. */
  input: { actorToken: string; target: string; reason: string };
  user: AdminGetUserResult;
}

/** @param ask returns the question; absent: nothing is asked */
export async function actOnUser(
  call: Invocation,
  act: (deps: Act) => Promise<CommandResult>,
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
