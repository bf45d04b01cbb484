// One service of the stack as a handle: start, stop, kill, start again. Kafka, the registry, PostgreSQL and our
// processes share it. start() resolves when the service answers, and rejects with the last lines of its log when it
// ends before, is not ready in time, or is stopped meanwhile. stop() asks first and kills after a bound. Both may be
// called in any state and do nothing when there is nothing to do. It does not restart anything by itself: see
// src/processes/dev/supervise.ts.
import type { ChildProcess } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { StackFailure } from "./failure.ts";
import { lastLines, logFile, logSince, logSize } from "./logs.ts";
import { type Launch, type Processes, signalGroup } from "./processes.ts";

const POLL_MS = 50;
const READY_WITHIN_MS = 120_000;
const STOP_WITHIN_MS = 15_000;

export interface Service {
  readonly name: string;
  /** Of the running process; undefined when none runs. */
  readonly pid: number | undefined;
  start(): Promise<void>;
  /** In order, with SIGKILL after 15 s. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Called whenever the process ends by itself after it was ready. */
  onCrash(listener: (how: string) => void): void;
}

export interface ServicePlan {
  readonly name: string;
  /** Writes configuration, repairs what a crash left, and says what to run. Called at every start. */
  prepare(): Promise<Launch>;
  /** Whether it answers; gets what it has logged since its start. */
  ready(log: string): Promise<boolean>;
}

interface Place {
  readonly dir: string;
  readonly processes: Processes;
}

export function makeService(plan: ServicePlan, place: Place): Service {
  return new ProcessService(plan, place);
}

class ProcessService implements Service {
  readonly name: string;
  readonly #plan: ServicePlan;
  readonly #place: Place;
  readonly #listeners: ((how: string) => void)[] = [];
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  /** Whether its end would be a crash: not before it was ready, nor once it was told to end. */
  #state: "down" | "starting" | "up" = "down";
  #signal: NodeJS.Signals = "SIGTERM";

  constructor(plan: ServicePlan, place: Place) {
    this.name = plan.name;
    this.#plan = plan;
    this.#place = place;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  onCrash(listener: (how: string) => void): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) return;
    this.#state = "starting";
    const launch = await this.#plan.prepare();
    if (this.#isDown()) throw new StackFailure(`${this.name} was stopped before it had started.`);
    const file = logFile(this.#place.dir, this.name);
    const from = logSize(file);
    const outcome = this.#spawn(launch);
    await this.#untilReady(outcome, { file, from });
  }

  async stop(): Promise<void> {
    this.#state = "down";
    if (this.#child === undefined) return;
    this.#send(this.#signal);
    const late = new AbortController();
    const tooLate = pause(STOP_WITHIN_MS, undefined, { signal: late.signal }).then(
      () => this.#send("SIGKILL"),
      () => {},
    );
    await Promise.race([this.#ended, tooLate]);
    late.abort();
    await this.#ended;
  }

  async kill(): Promise<void> {
    this.#state = "down";
    this.#send("SIGKILL");
    await this.#ended;
  }

  /** A method, because the field changes while start() waits. */
  #isDown(): boolean {
    return this.#state === "down";
  }

  #send(signal: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined) signalGroup(this.#child.pid, signal);
  }

  /** @returns how the process ended, once it has */
  #spawn(launch: Launch): { how?: string } {
    const outcome: { how?: string } = {};
    const child = this.#place.processes.spawn(this.name, launch);
    this.#child = child;
    this.#signal = launch.stopSignal ?? "SIGTERM";
    this.#ended = new Promise((resolve) => {
      const end = (how: string) => {
        outcome.how = how;
        this.#child = undefined;
        resolve();
        const crashed = this.#state === "up";
        this.#state = "down";
        if (crashed) for (const listener of this.#listeners) listener(how);
      };
      child.once("exit", (code, signal) => end(code === null ? `killed by ${signal}` : `exit ${code}`));
      child.once("error", (error) => end(error.message));
    });
    return outcome;
  }

  async #untilReady(outcome: { how?: string }, log: { file: string; from: number }): Promise<void> {
    const began = performance.now();
    for (;;) {
      const said = logSince(log.file, log.from);
      if (outcome.how !== undefined) {
        throw new StackFailure(
          `${this.name} ended at its start (${outcome.how}); its log ${log.file} says:\n${lastLines(said)}`,
        );
      }
      if ((await this.#plan.ready(said)) && outcome.how === undefined) {
        this.#state = "up";
        return;
      }
      if (performance.now() - began > READY_WITHIN_MS) {
        await this.kill();
        throw new StackFailure(
          `${this.name} did not answer within ${READY_WITHIN_MS / 1000} s; its log ${log.file} says:\n${lastLines(said)}`,
        );
      }
      await pause(POLL_MS);
    }
  }
}
