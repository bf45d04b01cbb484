// The demo's steps: each is run, timed, printed, and kept for --json. A step says what it expects; any other outcome
// ends the demo with a sentence. Latency is what a caller sees: sealing, Kafka both ways, the worker, opening.
import type { Clock } from "../../lib/clock.ts";
import { asError } from "../../lib/errors.ts";
import { Refusal, type RefusalCode } from "../../protocol/errors.ts";
import type { Colour } from "../terminal/terminal.ts";

/** What the step does, and the topic it does it over. */
export type StepName = readonly [does: string, topic: string];

interface Step {
  step: string;
  topic: string;
  ms: number;
  /** `ok` or the refusal that was expected. */
  outcome: string;
  shown: string;
}

/** A step had another outcome than expected. The message is a sentence. */
export class Unexpected extends Error {
  override readonly name = "Unexpected";
}

export interface Steps {
  readonly done: readonly Step[];
  /** Expects the step to be carried out. `tell` describes the result, and throws Unexpected where it is wrong. */
  ok<T>(name: StepName, run: () => Promise<T>, tell: (result: T) => string): Promise<T>;
  /** Expects a refusal with this code. */
  refused(name: StepName, code: RefusalCode, run: () => Promise<unknown>): Promise<void>;
  leftOut(name: StepName, why: string): void;
}

export interface StepsDeps {
  clock: Clock;
  say(line: string): void;
  paint(colour: Colour, text: string): string;
}

const widths = { does: 33, topic: 23, ms: 6 };

export function makeSteps({ clock, say, paint }: StepsDeps): Steps {
  const done: Step[] = [];
  const row = ([does, topic]: StepName, time: string, shown: string): void => {
    const words = `${does.padEnd(widths.does)} ${paint("dim", topic.padEnd(widths.topic))}`;
    say(`${words} ${time.padStart(widths.ms)}     ${shown}`);
  };
  const finish = (name: StepName, begun: number, { outcome, shown }: Pick<Step, "outcome" | "shown">): void => {
    const ms = Math.round((clock.monotonic() - begun) * 10) / 10;
    done.push({ step: name[0], topic: name[1], ms, outcome, shown });
    row(name, `${Math.round(ms)} ms`, shown);
  };
  return {
    done,
    async ok(name, run, tell) {
      const begun = clock.monotonic();
      const result = await run().catch((error: unknown) => {
        throw error instanceof Refusal
          ? new Unexpected(`${name[0]}: expected to be carried out, but ${said(error)}`)
          : error;
      });
      const shown = tell(result);
      finish(name, begun, { outcome: "ok", shown });
      return result;
    },
    async refused(name, code, run) {
      const begun = clock.monotonic();
      const error = await run().then(
        () => undefined,
        (thrown: unknown) => asError(thrown),
      );
      if (error === undefined)
        throw new Unexpected(`${name[0]}: expected to be refused with ${code}, but it was carried out.`);
      if (!(error instanceof Refusal)) throw error;
      if (error.code !== code)
        throw new Unexpected(`${name[0]}: expected to be refused with ${code}, but ${said(error)}`);
      finish(name, begun, { outcome: code, shown: `refused with ${code}, as it must be` });
    },
    leftOut: (name, why) => row(name, "-", `left out: ${why}`),
  };
}

function said({ code, message }: Refusal): string {
  const hint = code === "DEADLINE_EXCEEDED" ? " Does a worker run?" : "";
  return `it was refused with ${code}: ${message}${hint}`;
}
