// What administrators' commands, the platform's JSON topics and, where it is deleted, its owner do to an account alike: ban it, lift the ban, delete it. Banning and
// deleting end every session and every access token; lifting a ban brings none of them back.
import { erasures } from "../db/personal-data.ts";
import { endSessionsOf } from "../db/sessions.ts";
import { banUser, deleteUser, type Expected, type Profile, unbanUser } from "../db/users.ts";
import type { Change } from "./context.ts";
import { fact } from "./facts.ts";

export interface Deed {
  actor: string;
  reason: string;
}

/** @param until when the ban ends by itself, Unix ms; null: when it is lifted */
export function ban({ id, generation }: Profile, until: number | null, { actor, reason }: Deed): Change {
  return {
    user: { id, subject: banUser(id, until, { generation }), generation: generation + 1 },
    facts: [fact("UserBanned", { reason, until })],
    writes: [endSessionsOf(id, "banned")],
    actor,
  };
}

export function unban({ id }: Profile, { actor, reason }: Deed): Change {
  return { user: { id, subject: unbanUser(id) }, facts: [fact("UserUnbanned", { reason })], actor };
}

/** The account and all that is personal about its user (db/personal-data.ts). @param expected confirmed: false deletes only who never confirmed */
export function erase(
  { id, generation }: Pick<Profile, "id" | "generation">,
  { actor, reason }: Deed,
  expected: Pick<Expected, "confirmed"> = {},
): Change {
  return {
    user: { id, subject: deleteUser(id, { ...expected, generation }), generation: generation + 1 },
    facts: [fact("UserDeleted", { reason })],
    writes: erasures(id),
    actor,
  };
}
