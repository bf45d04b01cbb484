// How the commands on keys are called.
import { type Command, flag, oneOf } from "../command.ts";
import { yes } from "../users/commands.ts";

const needs = "It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.";

const list: Command = {
  name: "keys list",
  usage: "",
  summary: "the fleet's key pairs and data keys, their states and times",
  about: `Lists each key pair: its use (sig signs access tokens, enc opens sealed requests), its algorithm, its state (next: published, not used yet; active; retired: still verifies or opens what is under way), when it was made, became active and was retired, and when the root key last certified it, which happens daily. A kid is the key's own thumbprint (RFC 7638).

Then the data keys, which encrypt columns of the database, by purpose: next (not used yet), active (writes), retired (still reads), and the key of AUTH_MASTER_KEY that wraps each.`,
  notes: needs,
  load: async () => (await import("./keys.ts")).keysList,
};

const root: Command = {
  name: "keys root",
  usage: "[--next | --switch [--yes]]",
  summary: "prints the value for AUTH_FLEET_ID, and replaces the root key",
  about: `Prints the thumbprint of the root key, which certifies the fleet's public keys and does nothing else. Requesters and verifiers get it as AUTH_FLEET_ID (fleetId of connect()), by another way than Kafka, and accept no key that it has not certified. It is replaced only by hand:

  1. authctl keys root --next     makes the next root key; from here two thumbprints are printed, separated by a comma
  2. give both to every requester and verifier, instead of the one
  3. authctl keys root --switch   certifies every key with the next root key and forgets the previous one. A client that
                                  knows only the previous one works for up to two more days, until its certificates expire
  4. give the one that is printed now to everybody`,
  options: {
    next: flag("make the next root key, where there is none yet"),
    switch: flag("replace the active root key by the next one"),
    yes,
  },
  notes: needs,
  load: async () => (await import("./keys.ts")).keysRoot,
};

const rotate: Command = {
  name: "keys rotate",
  usage: "[--use sig|enc|data]",
  summary: "makes the next keys now; they become active once everybody can know them",
  about: `Makes the next keys now instead of at the scheduled time (AUTH_KEY_ROTATION). A key pair is published at once and becomes active when it has been published for AUTH_KEY_PUBLISH_AHEAD; the previous one still verifies or opens what is under way. A key that another person may know must go at once: see keys revoke. Data keys become active some seconds later; the previous ones still read what they wrote, and are removed when no row needs them.`,
  options: {
    use: oneOf(
      "USE",
      ["sig", "enc", "data"],
      "only the key that signs tokens, the one that requests are sealed to, or the data keys; default: all",
    ),
  },
  notes: "It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY, and a running relay, which publishes and activates the keys.",
  load: async () => (await import("./keys.ts")).keysRotate,
};

const revoke: Command = {
  name: "keys revoke",
  usage: "KID [--yes]",
  summary: "removes a key at once: what it signed no longer counts",
  about: `For a key that another person may know. What it signed is refused everywhere within a fetch of auth.revocation (users continue with a refresh: refresh tokens are not signed); what was sealed to it can no longer be opened (requesters seal again by themselves). An active key is first replaced by the next one, and removed some seconds later, when all processes know that.`,
  arguments: [["<KID>", "the key, as keys list shows it"]],
  options: { yes },
  notes: needs,
  load: async () => (await import("./keys.ts")).keysRevoke,
};

const rewrap: Command = {
  name: "keys rewrap",
  usage: "",
  summary: "wraps all data keys with the first key of AUTH_MASTER_KEY",
  about: `Replaces the master key k1 by k2, in four steps. Restart all processes before the next step:

  1. AUTH_MASTER_KEY=k1:...,k2:...   every process can read what k2 wraps, and none wraps with it yet
  2. AUTH_MASTER_KEY=k2:...,k1:...   new data keys are wrapped with k2
  3. authctl keys rewrap             with the same value: wraps the old ones with k2. It rewrites some rows, not the data
  4. AUTH_MASTER_KEY=k2:...          k1 opens nothing any more; keys list shows which key wraps each data key`,
  notes: needs,
  load: async () => (await import("./keys.ts")).keysRewrap,
};

export const keyCommands: readonly Command[] = [list, root, rotate, revoke, rewrap];
