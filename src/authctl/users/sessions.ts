// authctl sessions list and revoke: over auth.admin.list-sessions and revoke-sessions with an operator token.
import type { AuthClient } from "../../client/types.ts";
import type { Session } from "../../protocol/generated/schemas.ts";
import type { Command } from "../command.ts";
import { columns } from "../terminal/table.ts";
import { actHelp, actOnUser, actOptions, asOperator } from "./act.ts";

export const sessionsList: Command = {
  name: "sessions list",
  usage: "LOGIN [--as NAME]",
  summary: "the sessions of a user that go on",
  help: `Shows the sessions of the user with this login (or \`id:NUMBER\`) that go on, the newest first: when each was opened and last refreshed,
when it ends if it is not, and the device, as it described itself.

  --as NAME   as this operator, also where an administrator is logged in

${actHelp}`,
  needs: ["LOGIN"],
  options: { as: actOptions.as },
  async run(call) {
    const [target = ""] = call.words;
    return asOperator(call, async ({ client, actorToken }) => {
      const { userId, sessions } = await every(client, { actorToken, target });
      const heading = ["session", "opened", "last used", "ends", "device"];
      const lines = sessions.length === 0 ? ["No session goes on."] : columns([heading, ...sessions.map(rowOf)]);
      return { document: { userId, sessions }, lines };
    });
  },
};

export const sessionsRevoke: Command = {
  name: "sessions revoke",
  usage: "LOGIN SESSION [--reason TEXT] [--yes] [--as NAME]",
  summary: "ends one session of a user",
  help: `Ends one session of the user with this login (or \`id:NUMBER\`), by its id as \`sessions list\` shows it. The others go on.

  --reason TEXT   why; stands in the event SessionsRevoked
  --yes           does not ask
  --as NAME       as this operator, also where an administrator is logged in

${actHelp}`,
  needs: ["LOGIN", "SESSION"],
  options: { ...actOptions, yes: { type: "boolean" } },
  async run(call) {
    const [, sessionId = ""] = call.words;
    return actOnUser(
      call,
      async ({ client, input, user: { userId, login } }) => {
        const { ended } = await client.request("auth.admin.revoke-sessions", { ...input, sessionId });
        const document = { userId, login, done: true, ended };
        return { document, lines: [`The session ${sessionId} of ${login} (${userId}) ended.`] };
      },
      ({ userId, login }) => `End the session ${sessionId} of ${login} (${userId})?`,
    );
  },
};

async function every(
  client: AuthClient,
  input: { actorToken: string; target: string },
): Promise<{ userId: number; sessions: Session[] }> {
  const sessions: Session[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: { userId: number; sessions: Session[]; cursor: string | null } = await client.request(
      "auth.admin.list-sessions",
      { ...input, cursor },
    );
    sessions.push(...page.sessions);
    cursor = page.cursor;
    if (cursor === null) return { userId: page.userId, sessions };
  }
}

function rowOf({ sessionId, createdAt, lastUsedAt, expiresAt, client }: Session): string[] {
  const device = [client?.device, client?.ip, client?.userAgent].filter(Boolean).join(", ");
  return [sessionId, ...[createdAt, lastUsedAt, expiresAt].map((ms) => new Date(ms).toISOString()), device || "-"];
}
