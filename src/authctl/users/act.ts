// What the commands of authctl that change one user share: who acts, the question before, and the user as he was just before the act. What
// another operator does in between is not shown, and not lost in the fleet's events.
import type { AuthClient } from "../../client/types.ts";
import type { AdminGetUserResult } from "../../protocol/generated/schemas.ts";
import { type Answer, type Call, type Command, textOption } from "../command.ts";
import { actingFor } from "../connect/actor.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";

export const actOptions = {
  reason: { type: "string" },
  as: { type: "string" },
} as const;

export const actHelp = `It goes through Kafka. Where somebody did \`authctl login\`, it is done in their name, with what they may; with --as NAME, or where nobody did, as the
operator whose key AUTH_OPERATOR_KEY_FILE holds, with what that one may.`;

export interface OperatorCall {
  client: AuthClient;
  actorToken: string;
}

/** For what asks no question: a token, one connection, an answer. */
export async function asOperator(call: Call, act: (parts: OperatorCall) => Promise<Answer>): Promise<Answer> {
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
  call: Call,
  act: (parts: Act) => Promise<Answer>,
  ask?: (user: AdminGetUserResult) => string,
): Promise<Answer> {
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

export interface UserCommand {
  name: string;
  summary: string;
  /** Paragraphs above the options. */
  about: string;
  /** In which event the reason stands. */
  event: string;
  /** Gives the question; absent: it asks nothing. */
  ask?(user: AdminGetUserResult): string;
  /** @returns what the document has besides the user, and a line for people */
  act(parts: Act): Promise<{ more?: object; line: string }>;
}

/** A command that takes a login, a reason that may be left out, and nothing else. */
export function userCommand({ name, summary, about, event, ask, act }: UserCommand): Command {
  const asks = ask !== undefined;
  return {
    name,
    summary,
    usage: `LOGIN [--reason TEXT] ${asks ? "[--yes] " : ""}[--as NAME]`,
    help: `${about}

  --reason TEXT   why; stands in the event ${event}
${asks ? "  --yes           does not ask\n" : ""}  --as NAME       as this operator, also where an administrator is logged in

${actHelp}`,
    needs: ["LOGIN"],
    options: asks ? { ...actOptions, yes: { type: "boolean" } } : actOptions,
    run: (call) => actOnUser(call, (parts) => acted(parts, { act, asks }), ask),
  };
}

async function acted(parts: Act, { act, asks }: Pick<UserCommand, "act"> & { asks: boolean }): Promise<Answer> {
  const { more, line } = await act(parts);
  const { userId, login } = parts.user;
  return { document: { userId, login, ...(asks && { done: true }), ...more }, lines: [line] };
}
