// authctl topics acl: prints the commands that give each role at Kafka what it needs, and nothing more. It changes nothing and asks nobody: the
// operator reads them, and runs them as whoever may.
import type { Config } from "../../config/read.ts";
import { type Answer, type Call, type Command, pairsOption, textOption, UsageFault } from "../command.ts";
import { targetOf } from "../connect/target.ts";
import { type Grant, type Principal, principals } from "./acls.ts";

/** One grant in a JSON document, with names as they are on the broker. */
interface Rule {
  principal: string;
  resource: Grant["resource"];
  pattern: "literal" | "prefixed";
  names: string[];
  operations: readonly string[];
}

export const topicsAcl: Command = {
  name: "topics acl",
  usage: "[ROLE ...] [--principal ROLE=NAME ...] [--bootstrap HOST:PORT] [--command-config FILE]",
  summary: "the Kafka ACL commands that each role needs",
  help: `Prints the commands (kafka-acls.sh of Kafka's distribution) that let each role, each service of AUTH_REPLY_SERVICES and the platform's services do
what they must, and nothing more; or only those of the named ones. They follow the environment: AUTH_TOPIC_PREFIX, AUTH_GROUP,
AUTH_REPLY_SERVICES, AUTH_LEGACY_TOPICS. A pool of workers with another AUTH_GROUP needs them again with that. Nothing is changed.

  --principal ROLE=NAME   who the role is at Kafka, as often as wanted; default: auth-ROLE for roles, else its own name
  --bootstrap HOST:PORT   for the commands; default: AUTH_KAFKA_BROKERS
  --command-config FILE   for the commands: how kafka-acls.sh logs in`,
  needs: [],
  takes: ["ROLE"],
  repeats: true,
  options: {
    principal: { type: "string", multiple: true },
    bootstrap: { type: "string" },
    "command-config": { type: "string" },
  },
  async run(call) {
    const names = new Map(pairsOption(call, "principal"));
    const { config } = targetOf(call.env);
    const all = principals(config);
    for (const name of [...call.words, ...names.keys()])
      if (!all.some((each) => each.name === name))
        throw new UsageFault(`There is no role ${name}: there are ${all.map((each) => each.name).join(", ")}.`);
    const chosen = all.filter(({ name }) => call.words.length === 0 || call.words.includes(name));
    return answerOf(call, { config, chosen, names });
  },
};

interface Chosen {
  config: Config;
  chosen: Principal[];
  names: ReadonlyMap<string, string>;
}

function answerOf(call: Call, { config, chosen, names }: Chosen): Answer {
  const who = textOption(call, "bootstrap") ?? config.AUTH_KAFKA_BROKERS?.join(",") ?? "";
  const login = textOption(call, "command-config");
  const start = [
    "kafka-acls.sh",
    "--bootstrap-server",
    who,
    ...(login === undefined ? [] : ["--command-config", login]),
  ];
  const rules = chosen.map((each) => ({ each, rules: rulesOf(each, { config, names }) }));
  return {
    document: { acls: rules.flatMap(({ each, rules: some }) => some.map((rule) => ({ role: each.name, ...rule }))) },
    lines: rules.flatMap(({ each, rules: some }, at) => [
      ...(at === 0 ? [] : [""]),
      `# ${each.name}: ${each.what}`,
      ...some.map((rule) => [...start, ...commandOf(rule)].map(quoted).join(" ")),
    ]),
  };
}

const ours = ["worker", "relay", "bridge", "mailer", "migrate"];

function rulesOf({ name, grants }: Principal, { config, names }: Omit<Chosen, "chosen">): Rule[] {
  const principal = `User:${names.get(name) ?? (ours.includes(name) ? `auth-${name}` : name)}`;
  return grants.map(({ resource, names: bare, prefixed, operations }) => ({
    principal,
    resource,
    pattern: prefixed ? ("prefixed" as const) : ("literal" as const),
    names: bare.map((each) => config.AUTH_TOPIC_PREFIX + each),
    operations,
  }));
}

function commandOf({ principal, resource, pattern, names, operations }: Rule): string[] {
  return [
    ...["--add", "--allow-principal", principal],
    ...operations.flatMap((each) => ["--operation", each]),
    ...names.flatMap((each) => [`--${resource}`, each]),
    ...(pattern === "prefixed" ? ["--resource-pattern-type", "prefixed"] : []),
  ];
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[A-Za-z0-9._:,/=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
