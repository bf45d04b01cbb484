// authctl users revoke-sessions: ends all sessions of one user, or of every user (ASVS 7.4.5), with
// auth.admin.revoke-sessions. Every user is revoked one by one, so that each has their own event and row in the audit.
// A user who was already passed and logs in again meanwhile stays logged in: against a stolen key, revoke the key
// (authctl keys revoke).
import type { AuthClient } from "../../client/types.ts";
import { Refusal } from "../../protocol/errors.ts";
import type { AdminFindUsersResult, AdminFoundUser } from "../../protocol/generated/schemas.ts";
import { type CommandResult, flagOption, type Invocation, textOption } from "../command.ts";
import { operatorSigner, type SignOperator } from "../connect/operator.ts";
import { findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { actOnUser } from "./act.ts";

const pageSize = 200;
/** Requests at a time: few enough that one worker still serves its users. */
const atOnce = 8;

export async function usersRevokeSessions(call: Invocation): Promise<CommandResult> {
  const all = flagOption(call, "all");
  if (all && call.words.length > 0) throw new UsageFault("Either name a LOGIN or say --all, not both.");
  if (!all && call.words.length === 0) throw new UsageFault("LOGIN is missing.");
  return all ? ofEverybody(call) : ofOne(call);
}

function ofOne(call: Invocation): Promise<CommandResult> {
  return actOnUser(
    call,
    async ({ client, input, user: { userId, login } }) => {
      const { ended } = await client.request("auth.admin.revoke-sessions", input);
      const lines = [`${ended} ${ended === 1 ? "session" : "sessions"} of ${login} (${userId}) ended.`];
      return { document: { userId, login, done: true, ended }, lines };
    },
    ({ userId, login, sessions }) => `End all sessions of ${login} (${userId}), ${sessions} now?`,
  );
}

async function ofEverybody(call: Invocation): Promise<CommandResult> {
  checkAskable(call);
  const target = findTarget(call.env);
  const sign = await operatorSigner(target, call); // an administrator would end their own session on the way
  if (!(await confirmed(call, "End all sessions of EVERY user?")))
    return { document: { done: false }, lines: ["Nothing was done."], failed: true };
  const reason = textOption(call, "reason") ?? "";
  return call.reach(target, async ({ client }) => {
    const counts = { users: 0, ended: 0 };
    for await (const page of pages(client, sign)) {
      const actorToken = await sign(); // lives 60 s, and a page takes less than one
      const ended = await Promise.all(page.map((queue) => endAll(client, queue, { actorToken, reason })));
      counts.users += page.reduce((sum, queue) => sum + queue.length, 0);
      counts.ended += ended.reduce((sum, each) => sum + each, 0);
      call.terminal.progress?.(`${counts.users} users, ${counts.ended} sessions ended`);
    }
    call.terminal.progress?.("");
    const lines = [`${counts.ended} sessions ended; ${counts.users} users were gone through.`];
    return { document: { done: true, ...counts }, lines };
  });
}

/** The users who can have a session, page by page, divided among the queues that run at once. */
async function* pages(client: AuthClient, sign: SignOperator): AsyncGenerator<AdminFoundUser[][]> {
  for (let cursor: string | undefined = ""; cursor !== undefined; ) {
    const asked = { actorToken: await sign(), search: "", state: "active", limit: pageSize, cursor };
    const page: AdminFindUsersResult = await client.request("auth.admin.find-users", asked);
    yield Array.from({ length: atOnce }, (_, queue) => page.users.filter((_user, at) => at % atOnce === queue));
    cursor = page.cursor === "" ? undefined : page.cursor;
  }
}

/** @returns how many sessions ended */
async function endAll(
  client: AuthClient,
  users: AdminFoundUser[],
  input: { actorToken: string; reason: string },
): Promise<number> {
  let sum = 0;
  for (const { userId } of users) {
    const { ended } = await client
      .request("auth.admin.revoke-sessions", { ...input, target: `id:${userId}` })
      .catch(goneMeanwhile);
    sum += ended;
  }
  return sum;
}

/** A user who was deleted since their page was read has no session left. @throws any other fault */
function goneMeanwhile(error: unknown): { ended: number } {
  if (error instanceof Refusal && error.code === "NOT_FOUND") return { ended: 0 };
  throw error;
}
