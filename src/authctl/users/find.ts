// authctl users find: users by the beginning of a login or e-mail address (auth.admin.find-users). It prints one page,
// and --cursor gets the next one, because an operator looks for one user and does not read a million rows.
import type { AdminFindUsersResult, AdminFoundUser } from "../../protocol/generated/schemas.ts";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { UsageFault } from "../faults.ts";
import { table } from "../terminal/table.ts";
import { asActor } from "./act.ts";
import { rolesText } from "./show.ts";
import { userStates } from "./states.ts";

export async function usersFind(call: Invocation): Promise<CommandResult> {
  const [search = ""] = call.words;
  const input = { search, cursor: textOption(call, "cursor") ?? "", state: readState(call), limit: readLimit(call) };
  return asActor(call, async ({ client, actorToken }) =>
    shown(await client.request("auth.admin.find-users", { actorToken, ...input })),
  );
}

function readState(call: Invocation): string {
  const state = textOption(call, "state") ?? "";
  if (state !== "" && !userStates.includes(state))
    throw new UsageFault(`--state takes ${userStates.join(", ")}, not ${state}.`);
  return state;
}

function readLimit(call: Invocation): number {
  const text = textOption(call, "limit") ?? "50";
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 200) throw new UsageFault(`--limit takes 1 to 200, not ${text}.`);
  return limit;
}

function shown({ users, cursor }: AdminFindUsersResult): CommandResult {
  const more = cursor === "" ? [] : ["", `There may be more: --cursor ${cursor}`];
  const heading = ["id", "login", "e-mail", "state", "roles"];
  const lines = users.length === 0 ? ["Nobody."] : table([heading, ...users.map(userRow)]);
  return { document: { users, cursor: cursor === "" ? null : cursor }, lines: [...lines, ...more] };
}

function userRow({ userId, login, email, isActive, isVerified, bannedUntil, roles }: AdminFoundUser): string[] {
  const until = bannedUntil === null ? "" : ` until ${new Date(bannedUntil).toISOString()}`;
  const state = isActive ? (isVerified ? "active" : "unconfirmed") : `banned${until}`;
  return [String(userId), login, email, state, rolesText(roles)];
}
