// How the commands on operators are called.
import { type Command, flag, repeated, valued } from "../command.ts";
import { actNotes, as, reasonFor, yes } from "../users/commands.ts";

const name = ["<NAME>", "the operator's name: 1 to 64 letters, digits or . _ @ -"] as const;

const add: Command = {
  name: "operators add",
  usage: "NAME (--key FILE | --new-key FILE) [--permission PERMISSION ...] [--first] [--reason TEXT] [--as NAME]",
  summary: "enrols an operator with a key of their own, or gives one another key",
  about: `Enrols an operator. Operators sign their commands with a private key that never leaves the file named by AUTH_OPERATOR_KEY_FILE; the fleet stores the public half. An operator who is already enrolled gets this key besides those they have, and keeps their permissions.`,
  arguments: [name],
  options: {
    key: valued(
      "FILE",
      "the operator's key, PEM or JWK, ES256 (P-256) or EdDSA (Ed25519); of a private key the public half is taken",
    ),
    "new-key": valued("FILE", "create a key and this file, readable by its owner alone, for AUTH_OPERATOR_KEY_FILE"),
    permission: repeated(
      "PERMISSION",
      "what the operator may do; may be repeated; '*' is everything. You can only give what you have",
    ),
    first: flag("the first operator of a fleet, who may do everything; refused where there is another one already"),
    reason: reasonFor("OperatorAdded"),
    as,
  },
  notes: `With --first it writes to the database itself and needs AUTH_DATABASE_URL and AUTH_MASTER_KEY. Without --first: ${actNotes}`,
  load: async () => (await import("./operators.ts")).operatorsAdd,
};

const list: Command = {
  name: "operators list",
  usage: "[--as NAME]",
  summary: "all operators, what they may do, and their keys",
  about: "Lists all operators with their permissions and the thumbprints (RFC 7638) of their keys.",
  options: { as },
  notes: actNotes,
  load: async () => (await import("./operators.ts")).operatorsList,
};

const remove: Command = {
  name: "operators remove",
  usage: "NAME [--kid KID] [--reason TEXT] [--yes] [--as NAME]",
  summary: "removes an operator, or one of their keys, at once",
  about: `Removes an operator or, with --kid, one of their keys; with the last key goes the operator. It counts from the next request on. You need every permission that the operator has.`,
  arguments: [name],
  options: {
    kid: valued("KID", "only this key, as operators list shows it"),
    reason: reasonFor("OperatorRemoved"),
    yes,
    as,
  },
  notes: actNotes,
  load: async () => (await import("./operators.ts")).operatorsRemove,
};

export const operatorCommands: readonly Command[] = [add, list, remove];
