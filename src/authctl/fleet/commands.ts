// How the commands that show the fleet, its topics and its schemas are called.
import { type Command, flag, repeated, valued } from "../command.ts";

const top: Command = {
  name: "top",
  usage: "[--once]",
  summary: "the fleet live: processes, lanes, rates, times, lag",
  about: `Shows every process that reported within the last six seconds: name and state, requests in flight, lanes (running/width, and how many wait), and its lag: unfinished requests on its partitions, and how many seconds its hash lane needs for them. Below it shows every command that was requested in the last two seconds: how often, and the times within which 50 and 99 of 100 were answered, of the slowest process. At a terminal it is redrawn until Ctrl-C; elsewhere, and with --json, it is printed once.`,
  options: { once: flag("print once, also at a terminal") },
  notes: "It reads the topic auth.fleet and writes nothing. Exit code 3: no process reported for six seconds.",
  load: async () => (await import("./top.ts")).top,
};

const topicsList: Command = {
  name: "topics",
  usage: "",
  summary: "the topics with their partitions and retention, and what migrate would change",
  about: `Lists every topic of the system: partitions, how long records are kept, and what authfleet migrate would change (with the same environment: AUTH_PARTITIONS, AUTH_REPLY_SERVICES, AUTH_LEGACY_TOPICS ...). Who may read and write them: topics acl.`,
  load: async () => (await import("./topics.ts")).topicsList,
};

const topicsAcl: Command = {
  name: "topics acl",
  usage: "[CLIENT ...] [--principal CLIENT=NAME ...] [--bootstrap HOST:PORT] [--command-config FILE]",
  summary: "the Kafka ACL commands that each client of Kafka needs",
  about: `Prints the commands (kafka-acls.sh of Kafka's distribution) that let each process, each service of AUTH_REPLY_SERVICES and the platform's services do what they must, and nothing more. They follow the environment: AUTH_TOPIC_PREFIX, AUTH_GROUP, AUTH_REPLY_SERVICES, AUTH_LEGACY_TOPICS. A pool of workers with another AUTH_GROUP needs them again with that value. Nothing is changed.`,
  arguments: [["[CLIENT...]", "only these processes and services"]],
  options: {
    principal: repeated(
      "CLIENT=NAME",
      "the Kafka principal of a process or service; may be repeated; default: auth-PROCESS, and a service's own name",
    ),
    bootstrap: valued("HOST:PORT", "for the commands; default: AUTH_KAFKA_BROKERS"),
    "command-config": valued("FILE", "for the commands: how kafka-acls.sh logs in"),
  },
  load: async () => (await import("./topics-acl.ts")).topicsAcl,
};

const topicsServing: Command = {
  name: "topics serving",
  usage: "",
  summary: "which group of workers serves each command",
  about: `Lists for each command the group of workers that serves it (AUTH_GROUP), the processes, and when each claim ends if it is not renewed. A worker starts only where no other group holds one of its commands; the claims of a killed worker end after 30 s. A command that nobody holds is listed without a group.`,
  notes: "It needs AUTH_DATABASE_URL. What the processes report of themselves: authctl top.",
  load: async () => (await import("./topics-serving.ts")).topicsServing,
};

const lag: Command = {
  name: "lag",
  usage: "[--partitions]",
  summary: "how far each consumer group is behind, by topic and partition",
  about: `Lists, for each consumer group of the fleet and each topic it reads, how many records it has not committed: the group of AUTH_GROUP, the groups of other pools that the fleet's reports name, the mailer's group and the group of the platform's JSON topics. A group that never committed is left out. Workers commit on a timer, so a few records under load are no backlog. In seconds of work: authctl top.`,
  options: { partitions: flag("a line for each partition that has had records, with its offsets") },
  load: async () => (await import("./lag.ts")).lag,
};

const schemasCheck: Command = {
  name: "schemas check",
  usage: "",
  summary: "whether the registry has this version's schemas, or would accept them",
  about: `Asks the registry about every schema of this version: registered; a new subject or version that it would accept; incompatible with the latest version of its subject; or its subject has another compatibility than ours (requests BACKWARD, replies and events FORWARD). Nothing is changed. The exit code is 1 where one would be refused: run it before a deploy, in CI.`,
  load: async () => (await import("./schemas.ts")).schemasCheck,
};

const schemasRegister: Command = {
  name: "schemas register",
  usage: "",
  summary: "registers this version's schemas",
  about: `Registers every schema of this version; a new subject gets the compatibility of its kind. All are checked first: where the registry would refuse one, none is registered and the exit code is 1. Registered schemas stay as they are. authfleet migrate does the same and also stores the ids in the database, where workers find them while the registry is down.`,
  load: async () => (await import("./schemas.ts")).schemasRegister,
};

export const fleetCommands: readonly Command[] = [
  top,
  topicsList,
  topicsAcl,
  topicsServing,
  lag,
  schemasCheck,
  schemasRegister,
];
