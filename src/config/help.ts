// What `authfleet --help` and `authfleet PROCESS --help` print: what each process does, and which variables it reads.
import { type HelpedProcess, variablesOf } from "./readers.ts";
import { variableHelp } from "./variables.ts";

interface ProcessDescription {
  summary: string;
  about: string;
}

export const processes: Readonly<Record<HelpedProcess, ProcessDescription>> = {
  worker: {
    summary: "serves the auth.* request topics and the platform's JSON topics",
    about: `Consumes the request topics, carries the commands out in PostgreSQL and replies. Workers share the partitions as one consumer group: run as many as the load needs, up to AUTH_PARTITIONS per command.`,
  },
  relay: {
    summary: "publishes events, mails and feeds, and does maintenance",
    about: `Publishes what commits have put into the outbox, follows the key schedule, chains the audit, and deletes what is over. Any number may run: they share the work.`,
  },
  bridge: {
    summary: "gRPC service auth.Auth for the gateway",
    about: `Serves gRPC and sends each call to the workers as a request. It needs neither the database nor the master key. Any number may run.`,
  },
  mailer: {
    summary: "sends the mails of auth.mail by SMTP",
    about: "Consumes auth.mail and sends the mails to the SMTP server of AUTH_SMTP_URL. Any number may run.",
  },
  migrate: {
    summary: "creates or verifies database, keys, topics and schemas, then ends",
    about: `Applies the migrations, makes the first keys, creates topics and registers schemas, or verifies that all of it is there. Run it once per deploy, before the other processes. Exit code 0: everything is as it should be.`,
  },
  dev: {
    summary: "all of it on this machine, with Kafka, registry and PostgreSQL",
    about: `Starts Kafka, a registry and PostgreSQL as child processes, runs migrate, then workers, relay, mailer and bridge. For a try on one machine, not for production. Every other AUTH_ variable is passed to the processes that it starts.`,
  },
};

export function processHelp(name: HelpedProcess): string {
  const list = variablesOf(name).map((variable) => variableHelp(variable));
  return `Usage: authfleet ${name}     (in a checkout: npx node src/main.ts ${name})

${processes[name].about}
${served(name)}
It is configured by environment variables. Each may be given as a file: NAME_FILE holds its path.

${list.join("\n")}
`;
}

function served(name: HelpedProcess): string {
  if (name === "migrate" || name === "dev") return "";
  return "It serves /healthz, /readyz and /metrics on AUTH_HTTP_PORT.\n";
}

export function helpText(): string {
  const list = Object.entries(processes).map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`);
  return `authfleet: an auth service as a fleet of workers behind Kafka request/reply topics.

Usage: authfleet PROCESS     (in a checkout: npx node src/main.ts PROCESS)

${list.join("\n")}
  ctl       authctl: the operators' command line
  help      this text; help PROCESS or PROCESS --help: what one process does, and the variables that it reads

  --version the version

The variables of all processes are in docs/configuration.md.
`;
}
