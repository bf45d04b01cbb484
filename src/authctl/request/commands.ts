// How request is called.
import { type Command, valued } from "../command.ts";
import { defaultTimeout, shortestKey } from "./limits.ts";

export const request: Command = {
  name: "request",
  usage: "TOPIC JSON|- [--timeout DURATION] [--idempotency-key KEY]",
  summary: "sends one request and prints the reply",
  about: "Seals the fields, sends them as one request, and prints the reply as JSON, opened.",
  arguments: [
    ["<TOPIC>", "one of those below, with or without `auth.`"],
    ["<JSON>", "the fields as one JSON object; - reads it from standard input"],
  ],
  options: {
    timeout: valued("DURATION", `how long the whole request may take, 1ms to 5m; default ${defaultTimeout}`),
    "idempotency-key": valued(
      "KEY",
      `random, at least ${shortestKey} characters; the same key with the same fields returns the first reply again`,
    ),
  },
  notes:
    async () => `Every user of this machine sees secrets on a command line (ps), and the shell stores them in its history: give requests with passwords or tokens on standard input. The secrets of the reply are printed.

  echo '{"login":"ada","password":"..."}' | authctl request session.login -

Topics:
  ${(await import("./request.ts")).topics.join("\n  ")}`,
  load: async () => (await import("./request.ts")).request,
};
