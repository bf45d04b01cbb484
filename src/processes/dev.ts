// The process `dev`: the whole system on this machine. Real Kafka, registry and PostgreSQL, migrations, then workers,
// relay, mailer and bridge. States: starting -> ready -> stopping -> stopped. The first SIGINT, SIGTERM or SIGHUP, or
// the end of the parent process, stops it from any state; a second signal while stopping kills every child at once. A
// failed start stops what was started. stack.json exists exactly while ready; children stop in the reverse order of
// their dependencies. The exit code is 0 after an orderly stop, 1 after a failed start, 130 when it was cut short. What
// kill -9 leaves running, the next start ends.
import { StackFailure } from "../../stack/failure.ts";
import { type Report, stopwatch, whileSaying } from "../../stack/progress.ts";
import { makeStack, type Stack } from "../../stack/stack.ts";
import { type Config, type Environment, readConfig } from "../config/read.ts";
import { relaxed } from "../config/relaxed.ts";
import {
  type DevFiles,
  type DevProcess,
  makeProcess,
  migrate,
  type ProcessPlan,
  processEnvironment,
  readFleetId,
} from "./dev/fleet.ts";
import { type Addresses, devFolder, masterKeyFile, removeAddresses, writeAddresses } from "./dev/folder.ts";
import { enrolDevOperator } from "./dev/operator.ts";
import { startSupervised, supervise } from "./dev/supervise.ts";

const CUT_SHORT = 130;

/**
 * Runs until it is told to stop.
 * @param report called with one line at a time; default: standard output
 * @returns the exit code
 * @throws ConfigFault
 */
export async function dev(env: Environment, report: Report = say): Promise<number> {
  const config = readConfig(env, "dev");
  const system = new System({ env, config, report });
  const asked = whenAsked();
  const started = system.start().then(
    () => asked.first,
    (error: unknown) => error,
  );
  const reason = await Promise.race([started, asked.first]);
  if (reason === undefined) report("stopping (Ctrl-C again: at once) ...");
  const outcome = await Promise.race([system.stop().then(() => "stopped"), asked.second.then(() => "cut")]);
  if (outcome === "cut") {
    system.kill();
    return CUT_SHORT;
  }
  if (reason === undefined) return 0;
  if (!(reason instanceof StackFailure)) throw reason;
  report(reason.message);
  return 1;
}

/** A closed output must not prevent the orderly stop. */
function say(line: string): void {
  if (process.stdout.listenerCount("error") === 0) process.stdout.on("error", () => {});
  process.stdout.write(`${line}\n`);
}

function whenAsked(): { first: Promise<undefined>; second: Promise<undefined> } {
  const first = Promise.withResolvers<undefined>();
  const second = Promise.withResolvers<undefined>();
  let asked = 0;
  const ask = () => (asked++ === 0 ? first : second).resolve(undefined);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, ask);
  // The end of the parent process counts as a first signal, never as a second one.
  process.once("disconnect", () => first.resolve(undefined));
  process.channel?.unref();
  return { first: first.promise, second: second.promise };
}

class System {
  readonly #env: Environment;
  readonly #config: Config;
  readonly #report: Report;
  readonly #dir: string;
  readonly #stack: Stack;
  readonly #stopped = new AbortController();
  #claimed = false as boolean;
  #processes: DevProcess[] = [];

  constructor({ env, config, report }: { env: Environment; config: Config; report: Report }) {
    this.#env = env;
    this.#config = config;
    this.#report = report;
    this.#dir = devFolder(env);
    const ports = {
      kafka: config.AUTH_DEV_KAFKA_PORT,
      registry: config.AUTH_DEV_REGISTRY_PORT,
      database: config.AUTH_DEV_POSTGRES_PORT,
    };
    this.#stack = makeStack({ dir: this.#dir, ports, report });
  }

  async start(): Promise<void> {
    const elapsed = stopwatch();
    const report = this.#report;
    await this.#stack.claim();
    this.#claimed = true;
    // A killed run could not remove it.
    removeAddresses(this.#dir);
    await this.#stack.start();
    const { kafka, registry, postgres } = this.#stack;
    const watch = { report, stopped: this.#stopped.signal };
    for (const service of [kafka, registry, postgres]) supervise(service, watch);
    const grpcPort = await this.#stack.ports.choose("the bridge", this.#config.AUTH_DEV_GRPC_PORT);
    const place = this.#place();
    await whileSaying({ what: "migrating (database, topics, schemas)", report }, () => migrate(place, watch.stopped));
    await enrolDevOperator(place.env, this.#dir);
    this.#processes = await this.#makeProcesses(place, grpcPort);
    const what = `waiting for ${this.#processes.map((each) => each.name).join(", ")}`;
    await whileSaying({ what, report }, () => Promise.all(this.#processes.map((each) => startSupervised(each, watch))));
    if (this.#stopped.signal.aborted) return;
    const addresses = this.#addresses(grpcPort);
    writeAddresses(this.#dir, addresses);
    report(`ready ${shown(addresses)} after ${elapsed()}`);
    report(relaxedLine(place.env));
  }

  #place(): DevFiles {
    const { kafka, registry, postgres, processes } = this.#stack;
    const fixed = {
      AUTH_KAFKA_BROKERS: kafka.address,
      AUTH_REGISTRY_URL: registry.address,
      AUTH_DATABASE_URL: postgres.address,
    };
    // The file this process runs: src/main.ts in a checkout, dist/src/main.js in the image.
    const main = process.argv[1] as string;
    return { main, dir: this.#dir, processes, env: processEnvironment(this.#env, fixed, masterKeyFile(this.#dir)) };
  }

  async #makeProcesses(place: DevFiles, grpcPort: number): Promise<DevProcess[]> {
    const workers = Array.from({ length: this.#config.AUTH_DEV_WORKERS }, (_, index) => index + 1);
    const wanted: Pick<ProcessPlan, "processName" | "number">[] = [
      ...workers.map((number) => ({ processName: "worker" as const, number })),
      { processName: "relay", number: 1 },
      { processName: "mailer", number: 1 },
      { processName: "bridge", number: 1 },
    ];
    const processes: DevProcess[] = [];
    for (const each of wanted) {
      const httpPort = await this.#stack.ports.choose(`${each.processName}-${each.number}`);
      processes.push(makeProcess({ ...each, httpPort, grpcPort }, place));
    }
    return processes;
  }

  #addresses(grpcPort: number): Addresses {
    const { kafka, registry, postgres } = this.#stack;
    const http = Object.fromEntries(this.#processes.map((each) => [each.name, each.url]));
    return {
      kafka: kafka.address,
      registry: registry.address,
      database: postgres.address,
      grpc: `127.0.0.1:${grpcPort}`,
      http,
      fleetId: readFleetId(this.#dir),
    };
  }

  /**
   * The bridge first, so that no call finds its workers gone; the relay after the workers, so that their last events
   * are published; then the mailer.
   */
  async stop(): Promise<void> {
    this.#stopped.abort();
    // If another run has claimed the folder, its files are not ours.
    if (!this.#claimed) return;
    this.#stack.announceEnd();
    removeAddresses(this.#dir);
    for (const kind of ["bridge", "worker", "relay", "mailer"]) {
      const group = this.#processes.filter((each) => each.name.startsWith(kind));
      await Promise.all(group.map((each) => each.stop()));
    }
    await this.#stack.stop();
  }

  kill(): void {
    this.#stack.processes.killAll();
  }
}

function relaxedLine(env: Environment): string {
  const all = relaxed(readConfig(env, "dev")).join(", ");
  return all === "" ? "Nothing is relaxed." : `For this machine alone it relaxes ${all}.`;
}

/** Without the database's password, which is in stack.json: this line ends up in logs and on shared screens. */
function shown({ kafka, registry, database, grpc, http }: Addresses): string {
  const url = new URL(database);
  url.password = "";
  const processes = Object.entries(http).map(([name, address]) => `${name}=${address}`);
  return [`kafka=${kafka}`, `registry=${registry}`, `database=${url}`, `grpc=${grpc}`, ...processes].join(" ");
}
