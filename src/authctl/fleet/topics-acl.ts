// authctl topics acl: prints the commands that give each client of Kafka the rights that it needs, and no more. It
// changes nothing and asks nobody: the operator reads them, and runs them as whoever may.
import type { Config } from "../../config/read.ts";
import { type CommandResult, type Invocation, pairsOption, textOption } from "../command.ts";
import { findTarget } from "../connect/target.ts";
import { UsageFault } from "../faults.ts";
import { type Grant, type KafkaClient, kafkaClients } from "./acls.ts";

/** One grant in a JSON document, with names as they are on the broker. */
interface Rule {
  principal: string;
  resource: Grant["resource"];
  pattern: "literal" | "prefixed";
  names: string[];
  operations: readonly string[];
}

export async function topicsAcl(call: Invocation): Promise<CommandResult> {
  const names = new Map(pairsOption(call, "principal"));
  const { config } = findTarget(call.env);
  const all = kafkaClients(config);
  for (const name of [...call.words, ...names.keys()])
    if (!all.some((each) => each.name === name))
      throw new UsageFault(
        `There is no process or service ${name}: there are ${all.map((each) => each.name).join(", ")}.`,
      );
  const chosen = all.filter(({ name }) => call.words.length === 0 || call.words.includes(name));
  return aclResult(call, { config, chosen, names });
}

interface Chosen {
  config: Config;
  chosen: KafkaClient[];
  names: ReadonlyMap<string, string>;
}

function aclResult(call: Invocation, { config, chosen, names }: Chosen): CommandResult {
  const who = textOption(call, "bootstrap") ?? config.AUTH_KAFKA_BROKERS?.join(",") ?? "";
  const login = textOption(call, "command-config");
  const start = [
    "kafka-acls.sh",
    "--bootstrap-server",
    who,
    ...(login === undefined ? [] : ["--command-config", login]),
  ];
  const rules = chosen.map((each) => ({ each, rules: aclRules(each, { config, names }) }));
  return {
    document: { acls: rules.flatMap(({ each, rules: some }) => some.map((rule) => ({ client: each.name, ...rule }))) },
    lines: rules.flatMap(({ each, rules: some }, at) => [
      ...(at === 0 ? [] : [""]),
      `# ${each.name}: ${each.what}`,
      ...some.map((rule) => [...start, ...aclCommand(rule)].map(quoted).join(" ")),
    ]),
  };
}

const ours = ["worker", "relay", "bridge", "mailer", "migrate"];

function aclRules({ name, grants }: KafkaClient, { config, names }: Omit<Chosen, "chosen">): Rule[] {
  const principal = `User:${names.get(name) ?? (ours.includes(name) ? `auth-${name}` : name)}`;
  return grants.map(({ resource, names: bare, prefixed, operations }) => ({
    principal,
    resource,
    pattern: prefixed ? ("prefixed" as const) : ("literal" as const),
    names: bare.map((each) => config.AUTH_TOPIC_PREFIX + each),
    operations,
  }));
}

function aclCommand({ principal, resource, pattern, names, operations }: Rule): string[] {
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
