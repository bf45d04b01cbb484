// authctl sessions list and revoke (auth.admin.list-sessions, revoke-sessions).
import type { AuthClient } from "../../client/types.ts";
import type { Session } from "../../protocol/generated/schemas.ts";
import type { CommandResult, Invocation } from "../command.ts";
import { table } from "../terminal/table.ts";
import { actOnUser, asActor } from "./act.ts";

export async function sessionsList(call: Invocation): Promise<CommandResult> {
  const [target = ""] = call.words;
  return asActor(call, async ({ client, actorToken }) => {
    const { userId, sessions } = await every(client, { actorToken, target });
    const heading = ["session", "opened", "last used", "ends", "device"];
    const lines = sessions.length === 0 ? ["No session goes on."] : table([heading, ...sessions.map(sessionRow)]);
    return { document: { userId, sessions }, lines };
  });
}

export async function sessionsRevoke(call: Invocation): Promise<CommandResult> {
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
}

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

function sessionRow({ sessionId, createdAt, lastUsedAt, expiresAt, client }: Session): string[] {
  const device = [client?.device, client?.ip, client?.userAgent].filter(Boolean).join(", ");
  return [sessionId, ...[createdAt, lastUsedAt, expiresAt].map((ms) => new Date(ms).toISOString()), device || "-"];
}
