// authctl users find: users by the beginning of a login or an e-mail address, over auth.admin.find-users with an operator token. One page; the
// next one by --cursor, because an operator looks for somebody and does not read a million rows.
import type { AdminFindUsersResult, AdminFoundUser } from "../../protocol/generated/schemas.ts";
import { type Answer, type Call, type Command, textOption, UsageFault } from "../command.ts";
import { columns } from "../terminal/table.ts";
import { actHelp, asOperator } from "./act.ts";
import { rolesText } from "./show.ts";

const states = ["unconfirmed", "active", "banned"];

export const usersFind: Command = {
  name: "users find",
  usage: "[TEXT] [--state unconfirmed|active|banned] [--limit N] [--cursor CURSOR] [--as NAME]",
  summary: "users whose login or e-mail address begins with a text",
  help: `Shows the users whose login or e-mail address begins with TEXT (in any case), or \`id:NUMBER\`, or without TEXT all, in the order of their
logins. Where there are more, it says how to see them.

  --state STATE     only who is unconfirmed, active or banned
  --limit N         users on a page, 1 to 200; default 50
  --cursor CURSOR   the next page, as the one before said
  --as NAME         as this operator, also where an administrator is logged in

${actHelp}`,
  needs: [],
  takes: ["TEXT"],
  options: {
    state: { type: "string" },
    limit: { type: "string" },
    cursor: { type: "string" },
    as: { type: "string" },
  },
  async run(call) {
    const [search = ""] = call.words;
    const input = { search, cursor: textOption(call, "cursor") ?? "", state: stateOf(call), limit: limitOf(call) };
    return asOperator(call, async ({ client, actorToken }) =>
      shown(await client.request("auth.admin.find-users", { actorToken, ...input })),
    );
  },
};

function stateOf(call: Call): string {
  const state = textOption(call, "state") ?? "";
  if (state !== "" && !states.includes(state))
    throw new UsageFault(`--state takes ${states.join(", ")}, not ${state}.`);
  return state;
}

function limitOf(call: Call): number {
  const text = textOption(call, "limit") ?? "50";
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 200) throw new UsageFault(`--limit takes 1 to 200, not ${text}.`);
  return limit;
}

function shown({ users, cursor }: AdminFindUsersResult): Answer {
  const more = cursor === "" ? [] : ["", `There may be more: --cursor ${cursor}`];
  const heading = ["id", "login", "e-mail", "state", "roles"];
  const lines = users.length === 0 ? ["Nobody."] : columns([heading, ...users.map(rowOf)]);
  return { document: { users, cursor: cursor === "" ? null : cursor }, lines: [...lines, ...more] };
}

function rowOf({ userId, login, email, isActive, isVerified, bannedUntil, roles }: AdminFoundUser): string[] {
  const until = bannedUntil === null ? "" : ` until ${new Date(bannedUntil).toISOString()}`;
  const state = isActive ? (isVerified ? "active" : "unconfirmed") : `banned${until}`;
  return [String(userId), login, email, state, rolesText(roles)];
}
