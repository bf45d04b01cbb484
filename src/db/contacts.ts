// What a mail to a user needs, for reads that return it. Only a confirmed address may be mailed without being asked
// for: an unconfirmed one may belong to somebody else, and a decoy's belongs to no account (users.ts).
import { sql } from "slonik";
import { z } from "zod";

/** Columns of a user `u`. */
export const contactColumns = sql.fragment`u.username, u.email, u.locale`;

export const contactShape = {
  username: z.string(),
  email: z.string(),
  /** BCP 47; null: not given. */
  locale: z.string().nullable(),
};

const contact = z.object(contactShape);
export type Contact = z.infer<typeof contact>;
