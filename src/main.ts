// The entry: reads the process from the first argument and the configuration from the environment, and runs it. Only
// what every run needs is loaded here, so that help and authctl start at once; a process loads the rest by itself.
import { readCommandLine } from "./config/command-line.ts";
import { ConfigFault, type Environment, environment, readConfig, sizeThreadPool } from "./config/read.ts";
import type { HelpedProcess } from "./config/readers.ts";
import { asError } from "./lib/errors.ts";
import { escaped } from "./lib/escaped.ts";

/** @returns the exit code */
async function main(args: string[], env: Environment): Promise<number> {
  const line = readCommandLine(args);
  if ("print" in line) {
    (line.code === 0 ? process.stdout : process.stderr).write(safe(line.print));
    return line.code;
  }
  if ("ctl" in line) return (await import("./authctl/index.ts")).ctl(line.ctl, env);
  return run(line.process, env);
}

async function run(name: HelpedProcess, env: Environment): Promise<number> {
  if (name === "dev") return (await import("./processes/dev.ts")).dev(env);
  if (name === "migrate") return (await import("./processes/serve.ts")).runMigrate(env);
  const config = readConfig(env, name);
  if (name === "worker") sizeThreadPool(config.AUTH_HASH_THREADS); // before anything is loaded that uses the pool
  return (await import("./processes/serve.ts")).serve(name, config);
}

/** What a caller gave as a name must not reach the terminal as escape sequences. */
function safe(text: string): string {
  return text.split("\n").map(escaped).join("\n");
}

try {
  const code = await main(process.argv.slice(2), environment());
  // Nothing that is left needs waiting for: kafkajs keeps a stopped consumer's sockets for a while (kafkajs#967).
  process.exit(code);
} catch (error) {
  const told = error instanceof ConfigFault ? error.message : (asError(error).stack ?? "");
  process.stderr.write(`${safe(told)}\n`);
  process.exit(error instanceof ConfigFault ? 2 : 1);
}
