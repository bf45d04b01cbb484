// authctl operators: who acts on the fleet with a key of their own. All but the first are enrolled through Kafka, over auth.admin.add-operator; the first
// at the database itself, with the master key, which is good for nothing else here.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { enrollOperator } from "../../accounts/enroll-operator.ts";
import type { Config } from "../../config/read.ts";
import { everything, isOperatorName, newSigner, publicHalfOf } from "../../crypto/operators.ts";
import { loadFleetKeys } from "../../keys/fleet-keys.ts";
import { systemClock } from "../../lib/clock.ts";
import { asError } from "../../lib/errors.ts";
import { type Answer, type Call, type Command, textOption, UsageFault } from "../command.ts";
import { quiet } from "../connect/connect.ts";
import { withDatabase } from "../connect/database.ts";
import { type Target, targetOf } from "../connect/target.ts";
import { checkAskable, confirmed } from "../terminal/ask.ts";
import { columns } from "../terminal/table.ts";
import { actHelp, actOptions, asOperator } from "../users/act.ts";

const asLine = "--as NAME            as this operator, also where an administrator is logged in";

export const operatorsAdd: Command = {
  name: "operators add",
  usage: "NAME (--key FILE | --new-key FILE) [--permission PERMISSION ...] [--first] [--reason TEXT] [--as NAME]",
  summary: "enrols an operator, who acts with a key of their own, or gives one another key",
  help: `Enrols an operator. They sign what they do with their key, which lies in the file that AUTH_OPERATOR_KEY_FILE names and goes nowhere; the fleet knows the
public half. An operator who is there gets another key beside those they have, and keeps their permissions.

  --key FILE               the operator's key, PEM or JWK, ES256 (P-256) or EdDSA (Ed25519); of a private one the public half is taken
  --new-key FILE           makes a key, and the file, which its owner alone may read: for AUTH_OPERATOR_KEY_FILE
  --permission PERMISSION  what they may do, as often as needed; '*' is everything. You must hold what you give
  --first                  the first operator of a fleet, who may do everything; refused where there is one, unless it is this one with this key
  --reason TEXT            why; stands in the event OperatorAdded
  ${asLine.replace("    ", "        ")}

--first goes to the database itself and needs AUTH_DATABASE_URL and AUTH_MASTER_KEY. All else: ${actHelp.replace(/^It goes/, "it goes")}`,
  needs: ["NAME"],
  options: {
    ...actOptions,
    key: { type: "string" },
    "new-key": { type: "string" },
    permission: { type: "string", multiple: true },
    first: { type: "boolean" },
  },
  async run(call) {
    const [name = ""] = call.words;
    if (!isOperatorName(name)) throw new UsageFault("An operator's name is 1 to 64 letters, digits or . _ @ -");
    const target = targetOf(call.env);
    const permissions = permissionsOf(call);
    return withKey(call, name, (key) =>
      call.options["first"] === true ? first(call, target, { name, key }) : add(call, { name, key, permissions }),
    );
  },
};

type Key = Awaited<ReturnType<typeof publicHalfOf>>;

/** The public half of the key that is given, or of a new one, whose file goes where the operator is not enrolled. @throws UsageFault */
async function withKey(call: Call, name: string, use: (key: Key) => Promise<Answer>): Promise<Answer> {
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

function permissionsOf(call: Call): string[] {
  const given = call.options["permission"];
  return Array.isArray(given) ? given.map(String) : [];
}

interface Adding {
  name: string;
  key: Key;
}

function add(call: Call, { name, key, permissions }: Adding & { permissions: string[] }): Promise<Answer> {
  return asOperator(call, async ({ client, actorToken }) => {
    const input = { actorToken, name, publicKey: JSON.stringify(key.jwk), permissions, reason: reasonOf(call) };
    return added(await client.request("auth.admin.add-operator", input));
  });
}

async function first(call: Call, target: Target, { name, key }: Adding): Promise<Answer> {
  const given = permissionsOf(call);
  if (given.length > 0) throw new UsageFault("The first operator may do everything: leave --permission out.");
  const changed = await withDatabase(target, "to enrol the first operator", async (pool) => {
    const keys = await loadFleetKeys(pool, masterOf(target.config), quiet);
    keys.stop();
    const parts = { pool, clock: systemClock, dataKeys: keys.dataKeys };
    return enrollOperator(parts, { name, key, reason: reasonOf(call), first: true });
  });
  const { kid } = key;
  if (changed) return added({ name, kid, permissions: [everything] });
  return {
    document: { name, kid, permissions: [everything] },
    lines: [`${name} is an operator with this key already.`],
  };
}

const masterOf = ({ AUTH_MASTER_KEY: master = [] }: Config) => master;
const reasonOf = (call: Call): string => textOption(call, "reason") ?? "";

function added(done: { name: string; kid: string; permissions: string[] }): Answer {
  const { name, kid, permissions } = done;
  const may = permissions.includes(everything) ? "everything" : permissions.join(", ");
  return { document: done, lines: [`${name} is an operator with the key ${kid} and may do: ${may}.`] };
}

export const operatorsList: Command = {
  name: "operators list",
  usage: "[--as NAME]",
  summary: "all operators, what they may do, and their keys",
  help: `Shows all operators with their permissions and the thumbprints (RFC 7638) of their keys.

  ${asLine}

${actHelp}`,
  needs: [],
  options: { as: actOptions.as },
  async run(call) {
    return asOperator(call, async ({ client, actorToken }) => {
      const { operators } = await client.request("auth.admin.list-operators", { actorToken });
      const rows = operators.flatMap(({ name, permissions, keys }) =>
        keys.map(({ kid, alg, addedAt }) => [name, permissions.join(", "), alg, kid, new Date(addedAt).toISOString()]),
      );
      return { document: { operators }, lines: columns([["OPERATOR", "MAY", "ALG", "KEY", "ADDED"], ...rows]) };
    });
  },
};

export const operatorsRemove: Command = {
  name: "operators remove",
  usage: "NAME [--kid KID] [--reason TEXT] [--yes] [--as NAME]",
  summary: "removes an operator, or one of their keys, at once",
  help: `Removes an operator, or with --kid one of their keys (with the last one the operator). It counts from the next request on. You must hold what the operator
may do.

  --kid KID            only this key, as operators list shows it
  --reason TEXT        why; stands in the event OperatorRemoved
  --yes                does not ask
  ${asLine}

${actHelp}`,
  needs: ["NAME"],
  options: { ...actOptions, kid: { type: "string" }, yes: { type: "boolean" } },
  async run(call) {
    checkAskable(call);
    const [name = ""] = call.words;
    const kid = textOption(call, "kid") ?? null;
    const what = kid === null ? `the operator ${name}` : `the key ${kid} of the operator ${name}`;
    if (!(await confirmed(call, `Remove ${what}?`)))
      return { document: { name, done: false }, lines: ["Nothing was done."], failed: true };
    return asOperator(call, async ({ client, actorToken }) => {
      const input = { actorToken, name, kid, reason: reasonOf(call) };
      const { removed } = await client.request("auth.admin.remove-operator", input);
      const line = removed ? `${name} is an operator no more.` : `${name} has that key no more.`;
      return { document: { name, kid, done: true, removed }, lines: [line] };
    });
  },
};
