// What a mail to a user needs, in whichever read has it. Only what is confirmed may be written
// to without being asked: an unconfirmed address may be somebody else's, and a decoy's is none (users.ts).
import { sql } from "slonik";
import { z } from "zod";

/** Columns of a user `u`. */
export const contactColumns = sql.fragment`u.username, u.email, u.locale`;

export const contactShape = {
  username: z.string(),
  email: z.string(),
  /** BCP 47; null: the user gave none. */
  locale: z.string().nullable(),
};

const contact = z.object(contactShape);
export type Contact = z.infer<typeof contact>;
