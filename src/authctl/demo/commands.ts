// How demo is called.
import { type Command, valued } from "../command.ts";

export const demo: Command = {
  name: "demo",
  usage: "[--as NAME]",
  summary: "the whole journey of a user through Kafka, with latencies",
  about: `Takes a new account through its life, against the fleet, and prints the latency of each step in ms: register, confirm, log in, inspect, refresh, become admin and stop being one, log out; and the requests that must be refused on the way. The exit code is 1 when a step has another outcome than expected.`,
  options: {
    as: valued("NAME", "the operator who gives the role; default: the one that AUTH_OPERATOR_KEY_FILE names"),
  },
  notes: `The confirmation token is read from the platform's topic \`auth\`, so AUTH_LEGACY_TOPICS must be on. An operator gives the role: without AUTH_OPERATOR_KEY_FILE that part is left out. The account, demo-..., remains: confirmed, logged out, without a role.`,
  load: async () => (await import("./demo.ts")).demo,
};
