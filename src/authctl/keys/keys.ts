// authctl keys: the fleet's key pairs and data keys, shown and changed in the database itself, by who holds AUTH_DATABASE_URL and AUTH_MASTER_KEY.

import { currentOf, masterKid } from "../../crypto/envelope.ts";
import type { KeyUse } from "../../crypto/keys.ts";
import { dataKeyRows, fleetKeyRows, rootKeyRows } from "../../db/keys.ts";
import { rewrapKeys, rotateDataKeys } from "../../keys/data-keys.ts";
import { type KeyParts, makeNextRootKey, revokeKey, rotateKeys, switchRootKey } from "../../keys/fleet-keys.ts";
import { systemClock } from "../../lib/clock.ts";
import { keyPartsOf } from "../../processes/index.ts";
import { refuse } from "../../protocol/errors.ts";
import { type Answer, type Call, type Command, textOption, UsageFault } from "../command.ts";
import { withDatabase } from "../connect/database.ts";
import { operatorName } from "../connect/operator.ts";
import { targetOf } from "../connect/target.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";

function withKeys<T>(call: Call, what: string, run: (parts: KeyParts) => Promise<T>): Promise<T> {
  const target = targetOf(call.env);
  const actor = `operator:${operatorName(call)}`;
  return withDatabase(target, what, (pool) =>
    run({ ...keyPartsOf({ config: target.config, clock: systemClock }, pool), actor }),
  );
}

const plain = (done: string[]): Answer => ({ document: { done }, lines: done });

export const keysList: Command = {
  name: "keys list",
  usage: "",
  summary: "shows the fleet's key pairs and data keys, their states and times",
  help: `Shows each key pair: its use (sig signs access tokens, enc opens sealed requests), its algorithm, its state (next: published, not used yet;
active; retired: still verifies or opens what is under way), when it was made, came into use and was retired, and when the root key certified
it last, which it does daily. A kid is the key's own thumbprint (RFC 7638).

Then the data keys, which encrypt what the database keeps, by purpose: next (not used yet), active (writes), retired (still reads), and the
key of AUTH_MASTER_KEY that each is wrapped with.

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.`,
  needs: [],
  options: {},
  async run(call) {
    const { rows, dataKeys } = await withKeys(call, "to look at keys", async ({ pool }) => ({
      rows: await fleetKeyRows(pool),
      dataKeys: dataKeysShown(await dataKeyRows(pool)),
    }));
    const keys = rows.map(({ kid, use, alg, state, createdAt, activeAt, retiredAt, certifiedAt }) => ({
      kid,
      use,
      alg,
      state,
      createdAt: shown(createdAt),
      activeAt: shown(activeAt),
      retiredAt: shown(retiredAt),
      certifiedAt: shown(certifiedAt),
    }));
    const lines = [
      ...table(["use", "state", "alg", "kid", "createdAt", "activeAt", "retiredAt", "certifiedAt"], keys),
      "",
      ...table(["purpose", "state", "id", "master", "createdAt"], dataKeys),
    ];
    return { document: { keys, dataKeys }, lines };
  },
};

export const keysRoot: Command = {
  name: "keys root",
  usage: "[--next | --switch [--yes]]",
  summary: "prints what AUTH_FLEET_ID is, and turns the root key",
  help: `Prints the thumbprint of the root key, which certifies the fleet's public keys and does nothing else. Requesters and verifiers are given it as
AUTH_FLEET_ID (fleetId of connect()), by another way than Kafka, and take no key that it has not certified. It turns only by hand:

  1. authctl keys root --next     makes the next root key. From here two thumbprints are printed, separated by a comma
  2. give both to every requester and verifier, in place of the one
  3. authctl keys root --switch   certifies every key with the next root key and forgets the one before. Who knows only that one goes on for up to
                                  two days, until its certificates have expired
  4. give the one that is printed now to everybody

  --next     makes the next root key, where there is none yet
  --switch   puts it in the place of the one that certifies now
  --yes      does not ask

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.`,
  needs: [],
  options: { next: { type: "boolean" }, switch: { type: "boolean" }, yes: { type: "boolean" } },
  async run(call) {
    const { next, switch: turns } = call.options;
    if (next && turns) throw new UsageFault("--next and --switch are two steps: first the one, then the other.");
    if (turns) {
      checkAskable(call);
      if (!(await confirmed(call, "Does everybody who speaks with the fleet have both thumbprints?")))
        return { document: { done: [] }, lines: ["The root key is the one of before."], failed: true };
    }
    const { done, roots } = await withKeys(call, "to look at the root key", async (parts) => ({
      done: next ? await makeNextRootKey(parts) : turns ? await switchRootKey(parts) : [],
      roots: await rootKeyRows(parts.pool),
    }));
    if (done === undefined)
      throw refuse("NOT_FOUND", { message: "There is no next root key: make it with --next first." });
    const fleetId = roots.map(({ kid }) => kid).join();
    const keys = roots.map(({ kid, state, createdAt }) => ({ kid, state, createdAt: shown(createdAt) }));
    return { document: { fleetId, keys, done }, lines: [...done, fleetId] };
  },
};

export const keysRotate: Command = {
  name: "keys rotate",
  usage: "[--use sig|enc|data]",
  summary: "makes the next keys now; they come into use once everybody can know them",
  help: `Makes the next keys now instead of when the schedule would (AUTH_KEY_ROTATION). A key pair is published at once, and used when it has been
published for AUTH_KEY_PUBLISH_AHEAD; the one before it goes on to verify or to open what is under way. A key that is known to
others must go at once: see keys revoke. Data keys are used some seconds later; those before them go on to read what they wrote, and
are removed when no row needs them.

  --use sig|enc|data   only the key that signs tokens, the one that requests are sealed to, or the data keys; default: all

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY, and a running relay, which carries the schedule out.`,
  needs: [],
  options: { use: { type: "string" } },
  async run(call) {
    const uses = usesOf(call);
    const pairs = uses.filter((use) => use !== "data");
    const done = await withKeys(call, "to rotate keys", async (parts) => [
      ...(pairs.length > 0 ? await rotateKeys(parts, pairs) : []),
      ...(uses.includes("data") ? await rotateDataKeys(parts) : []),
    ]);
    return plain(done);
  },
};

export const keysRevoke: Command = {
  name: "keys revoke",
  usage: "KID [--yes]",
  summary: "takes a key away at once: what it signed counts no more",
  help: `For a key that others may know. What it signed is refused everywhere within a fetch of auth.revocation (users go on by a refresh: refresh
tokens are not signed), what was sealed to it cannot be opened any more (requesters seal again by themselves). Where it was the
active one, the next one takes its place first, and it goes some seconds later, when all processes know that.

  --yes   does not ask

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.`,
  needs: ["KID"],
  options: { yes: { type: "boolean" } },
  async run(call) {
    const [kid = ""] = call.words;
    checkAskable(call);
    if (!(await confirmed(call, `Revoke the key ${kid}?`)))
      return { document: { done: [] }, lines: ["Nothing was revoked."], failed: true };
    const done = await withKeys(call, "to revoke a key", (parts) => revokeKey(parts, kid));
    if (done === undefined) throw refuse("NOT_FOUND", { message: `There is no key ${kid}.` });
    return plain(done);
  },
};

export const keysRewrap: Command = {
  name: "keys rewrap",
  usage: "",
  summary: "wraps all data keys with the first key of AUTH_MASTER_KEY",
  help: `To change the master key from k1 to k2, step by step, each with all processes started again before the next:

  1. AUTH_MASTER_KEY=k1:...,k2:...   all can read what k2 wraps, and nobody wraps with it yet
  2. AUTH_MASTER_KEY=k2:...,k1:...   new data keys are wrapped with k2
  3. authctl keys rewrap             with the same; so are the old ones. It rewrites some rows, not the data
  4. AUTH_MASTER_KEY=k2:...          k1 opens nothing any more; keys list shows what each data key is wrapped with

It needs AUTH_DATABASE_URL and AUTH_MASTER_KEY.`,
  needs: [],
  options: {},
  async run(call) {
    const { count, kid } = await withKeys(call, "to wrap keys", async (parts) => ({
      count: await rewrapKeys(parts),
      kid: parts.master[0]?.kid,
    }));
    const line =
      count === 0 ? `All data keys are wrapped with ${kid} already.` : `Wrapped ${count} data keys with ${kid}.`;
    return { document: { wrapped: count, master: kid }, lines: [line] };
  },
};

function usesOf(call: Call): (KeyUse | "data")[] {
  const use = textOption(call, "use");
  if (use === undefined) return ["sig", "enc", "data"];
  if (use !== "sig" && use !== "enc" && use !== "data")
    throw new UsageFault(`--use takes sig, enc or data, not ${use}.`);
  return [use];
}

function dataKeysShown(rows: Awaited<ReturnType<typeof dataKeyRows>>) {
  return rows.map(({ id, purpose, wrapped, createdAt }) => {
    const newestFirst = rows.filter((row) => row.purpose === purpose).reverse();
    const current = currentOf(newestFirst)?.id ?? id;
    const state = id === current ? "active" : id > current ? "next" : "retired";
    return { id: String(id), purpose, state, master: masterKid(wrapped), createdAt: shown(createdAt) };
  });
}

const shown = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function table(names: string[], keys: Record<string, string | null>[]): string[] {
  const rows = [names, ...keys.map((key) => names.map((name) => key[name] ?? "-"))];
  const widths = names.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join("  ")
      .trimEnd(),
  );
}
