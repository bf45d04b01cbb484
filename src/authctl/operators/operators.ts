// authctl operators: who acts on the fleet with a key of their own. All but the first are enrolled through Kafka, with
// auth.admin.add-operator; the first one at the database itself, with the master key.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Config } from "../../config/read.ts";
import { everything, isOperatorName, newSigner, publicHalfOf } from "../../crypto/operators.ts";
import { systemClock } from "../../lib/clock.ts";
import { asError } from "../../lib/errors.ts";
import { type CommandResult, flagOption, type Invocation, listOption, textOption } from "../command.ts";
import { withDatabase } from "../connect/database.ts";
import { type FleetTarget, findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { table } from "../terminal/table.ts";
import { asActor } from "../users/act.ts";

export async function operatorsAdd(call: Invocation): Promise<CommandResult> {
  const [name = ""] = call.words;
  if (!isOperatorName(name)) throw new UsageFault("An operator's name is 1 to 64 letters, digits or . _ @ -");
  const target = findTarget(call.env);
  const permissions = readPermissions(call);
  return withKey(call, name, (key) =>
    flagOption(call, "first") ? first(call, target, { name, key }) : add(call, { name, key, permissions }),
  );
}

type Key = Awaited<ReturnType<typeof publicHalfOf>>;

/**
 * Uses the public half of the given key or of a new one, whose file is removed where `use` fails.
 * @throws UsageFault
 */
async function withKey(
  call: Invocation,
  name: string,
  use: (key: Key) => Promise<CommandResult>,
): Promise<CommandResult> {
  const [given, fresh] = [textOption(call, "key"), textOption(call, "new-key")];
  if ((given === undefined) === (fresh === undefined)) throw new UsageFault("Say --key FILE or --new-key FILE.");
  if (given !== undefined) return use(await keyIn(given));
  const file = fresh ?? "";
  writeNew(file, `${newSigner(name)}\n`);
  try {
    return await use(await keyIn(file));
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

async function keyIn(file: string): Promise<Key> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageFault(`--key: ${asError(error).message}`);
  }
  return publicHalfOf(text).catch((error: unknown) => {
    throw new UsageFault(`--key: ${file} ${asError(error).message}`);
  });
}

function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new UsageFault(`--new-key: ${asError(error).message}`);
  }
}

function readPermissions(call: Invocation): string[] {
  return [...listOption(call, "permission")];
}

interface Adding {
  name: string;
  key: Key;
}

function add(call: Invocation, { name, key, permissions }: Adding & { permissions: string[] }): Promise<CommandResult> {
  return asActor(call, async ({ client, actorToken }) => {
    const input = { actorToken, name, publicKey: JSON.stringify(key.jwk), permissions, reason: readReason(call) };
    return added(await client.request("auth.admin.add-operator", input));
  });
}

async function first(call: Invocation, target: FleetTarget, { name, key }: Adding): Promise<CommandResult> {
  const given = readPermissions(call);
  if (given.length > 0) throw new UsageFault("The first operator may do everything: leave --permission out.");
  const changed = await withDatabase(target, "to enrol the first operator", async (pool) => {
    const [{ enrollOperator }, { loadFleetKeys }, { silentLog }] = await Promise.all([
      import("../../accounts/enroll-operator.ts"),
      import("../../keys/fleet-keys.ts"),
      import("../connect/silent-log.ts"),
    ]);
    const keys = await loadFleetKeys(pool, masterKeys(target.config), silentLog);
    keys.stop();
    const parts = { pool, clock: systemClock, dataKeys: keys.dataKeys };
    return enrollOperator(parts, { name, key, reason: readReason(call), first: true });
  });
  const { kid } = key;
  if (changed) return added({ name, kid, permissions: [everything] });
  return {
    document: { name, kid, permissions: [everything] },
    lines: [`${name} is an operator with this key already.`],
  };
}

const masterKeys = ({ AUTH_MASTER_KEY: master = [] }: Config) => master;
const readReason = (call: Invocation): string => textOption(call, "reason") ?? "";

function added(done: { name: string; kid: string; permissions: string[] }): CommandResult {
  const { name, kid, permissions } = done;
  const may = permissions.includes(everything) ? "everything" : permissions.join(", ");
  return { document: done, lines: [`${name} is an operator with the key ${kid} and may do: ${may}.`] };
}

export async function operatorsList(call: Invocation): Promise<CommandResult> {
  return asActor(call, async ({ client, actorToken }) => {
    const { operators } = await client.request("auth.admin.list-operators", { actorToken });
    const rows = operators.flatMap(({ name, permissions, keys }) =>
      keys.map(({ kid, alg, addedAt }) => [name, permissions.join(", "), alg, kid, new Date(addedAt).toISOString()]),
    );
    return { document: { operators }, lines: table([["OPERATOR", "MAY", "ALG", "KEY", "ADDED"], ...rows]) };
  });
}

export async function operatorsRemove(call: Invocation): Promise<CommandResult> {
  checkAskable(call);
  const [name = ""] = call.words;
  const kid = textOption(call, "kid") ?? null;
  const what = kid === null ? `the operator ${name}` : `the key ${kid} of the operator ${name}`;
  if (!(await confirmed(call, `Remove ${what}?`)))
    return { document: { name, done: false }, lines: ["Nothing was done."], failed: true };
  return asActor(call, async ({ client, actorToken }) => {
    const input = { actorToken, name, kid, reason: readReason(call) };
    const { removed } = await client.request("auth.admin.remove-operator", input);
    const line = removed ? `${name} is an operator no more.` : `${name} has that key no more.`;
    return { document: { name, kid, done: true, removed }, lines: [line] };
  });
}
