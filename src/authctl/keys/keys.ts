// authctl keys: shows and changes the fleet's key pairs and data keys in the database itself, which needs
// AUTH_DATABASE_URL and AUTH_MASTER_KEY.
import { currentOf, masterKid } from "../../crypto/envelope.ts";
import type { KeyUse } from "../../crypto/keys.ts";
import type { dataKeyRows } from "../../db/keys.ts";
import type { KeyDeps } from "../../keys/fleet-keys.ts";
import { systemClock } from "../../lib/clock.ts";
import { refuse } from "../../protocol/errors.ts";
import { type CommandResult, type Invocation, textOption } from "../command.ts";
import { withDatabase } from "../connect/database.ts";
import { operatorName } from "../connect/operator.ts";
import { findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { table } from "../terminal/table.ts";

/** Loaded only once there is a database to speak to. */
async function loadKeyStore() {
  const [rows, dataKeys, fleetKeys] = await Promise.all([
    import("../../db/keys.ts"),
    import("../../keys/data-keys.ts"),
    import("../../keys/fleet-keys.ts"),
  ]);
  return { ...rows, ...dataKeys, ...fleetKeys };
}

type KeyStore = Awaited<ReturnType<typeof loadKeyStore>>;

/** @param what is done with them, for the sentence that says what is missing: "to ..." */
function withKeys<T>(call: Invocation, what: string, run: (store: KeyStore, deps: KeyDeps) => Promise<T>): Promise<T> {
  const target = findTarget(call.env);
  const actor = `operator:${operatorName(call)}`;
  return withDatabase(target, what, async (pool) => {
    const { keyDepsFor } = await import("../../processes/parts.ts");
    const deps = { ...keyDepsFor({ config: target.config, clock: systemClock }, pool), actor };
    return run(await loadKeyStore(), deps);
  });
}

const plain = (done: string[]): CommandResult => ({ document: { done }, lines: done });

export async function keysList(call: Invocation): Promise<CommandResult> {
  const { rows, dataKeys } = await withKeys(call, "to look at keys", async (store, { pool }) => ({
    rows: await store.fleetKeyRows(pool),
    dataKeys: dataKeysShown(await store.dataKeyRows(pool)),
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
    ...keyTable(["use", "state", "alg", "kid", "createdAt", "activeAt", "retiredAt", "certifiedAt"], keys),
    "",
    ...keyTable(["purpose", "state", "id", "master", "createdAt"], dataKeys),
  ];
  return { document: { keys, dataKeys }, lines };
}

export async function keysRoot(call: Invocation): Promise<CommandResult> {
  const { next, switch: turns } = call.options;
  if (next && turns) throw new UsageFault("--next and --switch are two steps: first the one, then the other.");
  if (turns) {
    checkAskable(call);
    if (!(await confirmed(call, "Does everybody who speaks with the fleet have both thumbprints?")))
      return { document: { done: [] }, lines: ["The root key was not replaced."], failed: true };
  }
  const { done, roots } = await withKeys(call, "to look at the root key", async (store, deps) => ({
    done: next ? await store.makeNextRootKey(deps) : turns ? await store.switchRootKey(deps) : [],
    roots: await store.rootKeyRows(deps.pool),
  }));
  if (done === undefined)
    throw refuse("NOT_FOUND", { message: "There is no next root key: make it with --next first." });
  const fleetId = roots.map(({ kid }) => kid).join();
  const keys = roots.map(({ kid, state, createdAt }) => ({ kid, state, createdAt: shown(createdAt) }));
  return { document: { fleetId, keys, done }, lines: [...done, fleetId] };
}

export async function keysRotate(call: Invocation): Promise<CommandResult> {
  const uses = readUses(call);
  const pairs = uses.filter((use) => use !== "data");
  const done = await withKeys(call, "to rotate keys", async (store, deps) => [
    ...(pairs.length > 0 ? await store.rotateKeys(deps, pairs) : []),
    ...(uses.includes("data") ? await store.rotateDataKeys(deps) : []),
  ]);
  return plain(done);
}

export async function keysRevoke(call: Invocation): Promise<CommandResult> {
  const [kid = ""] = call.words;
  checkAskable(call);
  if (!(await confirmed(call, `Revoke the key ${kid}?`)))
    return { document: { done: [] }, lines: ["Nothing was revoked."], failed: true };
  const done = await withKeys(call, "to revoke a key", (store, deps) => store.revokeKey(deps, kid));
  if (done === undefined) throw refuse("NOT_FOUND", { message: `There is no key ${kid}.` });
  return plain(done);
}

export async function keysRewrap(call: Invocation): Promise<CommandResult> {
  const { count, kid } = await withKeys(call, "to wrap keys", async (store, deps) => ({
    count: await store.rewrapKeys(deps),
    kid: deps.master[0]?.kid,
  }));
  const line =
    count === 0 ? `All data keys are wrapped with ${kid} already.` : `Wrapped ${count} data keys with ${kid}.`;
  return { document: { wrapped: count, master: kid }, lines: [line] };
}

function readUses(call: Invocation): (KeyUse | "data")[] {
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

function keyTable(names: string[], keys: Record<string, string | null>[]): string[] {
  return table([names, ...keys.map((key) => names.map((name) => key[name] ?? "-"))]);
}
