// Every AUTH_ variable: what it means, its range, its default, which processes need it. read.ts reads the environment
// by this table, `authfleet PROCESS --help` and docs/configuration.md print it. A secret has no default and may be
// given as NAME_FILE.

import type { Variable } from "./kinds.ts";
import { accountsVariables } from "./variables/accounts.ts";
import { databaseVariables } from "./variables/database.ts";
import { devVariables } from "./variables/dev.ts";
import { grpcVariables } from "./variables/grpc.ts";
import { guessingVariables } from "./variables/guessing.ts";
import { hashingVariables } from "./variables/hashing.ts";
import { httpVariables } from "./variables/http.ts";
import { kafkaVariables } from "./variables/kafka.ts";
import { keysVariables } from "./variables/keys.ts";
import { mailVariables } from "./variables/mail.ts";
import { sessionsVariables } from "./variables/sessions.ts";

/** In the order in which they are shown. */
export const sections = [
  {
    title: "Kafka and the Schema Registry",
    about: "Connections, topics, groups and replies.",
    variables: kafkaVariables,
  },
  { title: "PostgreSQL", about: "The connection, and how many of them a process opens.", variables: databaseVariables },
  {
    title: "Keys and tokens",
    about: "Keys, their rotation, and the claims of access tokens.",
    variables: keysVariables,
  },
  {
    title: "Passwords and their hashes",
    about: "Rules of passwords, and the cost of a hash.",
    variables: hashingVariables,
  },
  { title: "Accounts", about: "Registration, confirmation, logins of deleted accounts.", variables: accountsVariables },
  {
    title: "Sessions and second factors",
    about: "How long sessions last, and second factors.",
    variables: sessionsVariables,
  },
  {
    title: "Guessing and floods",
    about: "Limits by account, network and fleet (docs/guessing.md).",
    variables: guessingVariables,
  },
  { title: "Mails", about: "The SMTP server, the sender, language and templates.", variables: mailVariables },
  { title: "The bridge", about: "The gRPC server, and which callers it trusts.", variables: grpcVariables },
  { title: "Every process", about: "Health, metrics, log and shutdown.", variables: httpVariables },
  { title: "npm start", about: "Data and ports of the system on one machine.", variables: devVariables },
];

export const variables = {
  ...kafkaVariables,
  ...databaseVariables,
  ...keysVariables,
  ...hashingVariables,
  ...accountsVariables,
  ...sessionsVariables,
  ...guessingVariables,
  ...mailVariables,
  ...grpcVariables,
  ...httpVariables,
  ...devVariables,
};

const serviceLink = /_SERVICE_(HOST|PORT)$|_SERVICE_PORT_[A-Z0-9_]+$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

/**
 * Whether Kubernetes has set this, for a service whose name begins with "auth" (its "service links"). A bare NAME_PORT
 * is told by its value, tcp://host:port: by its name it might be a misspelt variable, or AUTH_GRPC_PORT itself where a
 * service is called auth-grpc.
 */
export function isServiceLink(name: string, value: string | undefined): boolean {
  return serviceLink.test(name) || (/_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value ?? ""));
}

/** What a default is shown as. */
export function defaultOf(variable: Variable<unknown>): string {
  if (variable.shown !== undefined) return variable.shown;
  if (typeof variable.default === "string") return variable.default === "" ? "(empty)" : variable.default;
  return "";
}

/** One variable for a terminal. */
export function variableHelp(name: keyof typeof variables): string {
  const variable: Variable<unknown> = variables[name];
  const shown = defaultOf(variable);
  const needed = variable.needed ? `; needed by ${variable.needed.join(", ")}` : "";
  return `  ${name}\n      ${variable.meaning}\n      ${variable.range}${shown ? `; default ${shown}` : ""}${needed}`;
}
