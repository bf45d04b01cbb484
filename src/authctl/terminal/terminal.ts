// Where authctl prints and reads: results on standard output, errors on standard error, input and answers to questions
// from standard input. Colours only where a terminal shows them and NO_COLOR (no-color.org) is not set. A reader that
// goes away (`| head`) ends nothing.
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { styleText } from "node:util";
import type { Environment } from "../../config/read.ts";
import { fitted } from "./table.ts";

export type Colour = "green" | "red" | "dim";

export interface Terminal {
  /** Its width; absent where standard output is no terminal. */
  readonly columns?: number;
  /** Prints a line to standard output. */
  out(line: string): void;
  /** Prints a line to standard error. */
  err(line: string): void;
  /** Everything on standard input. */
  input(): Promise<string>;
  paint(colour: Colour, text: string): string;
  /** A line on standard error that the next one replaces; "" takes it away. Absent where no terminal shows it. */
  progress?(line: string): void;
  /** Draws these lines over the whole screen, again and again, until Ctrl-C. Absent where no terminal shows it. */
  live?(draw: () => readonly string[], everyMs: number): Promise<void>;
  /** One line from the user at the terminal; absent where standard input is no terminal. */
  ask?(question: string): Promise<string>;
  /** The same, but what is typed is not shown. */
  askUnseen?(question: string): Promise<string>;
}

export function processTerminal(env: Environment): Terminal {
  const colours = process.stdout.isTTY === true && !env["NO_COLOR"];
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.listenerCount("error") === 0) stream.on("error", () => undefined);
  }
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    input: () => text(process.stdin),
    paint: (colour, shown) => (colours ? styleText(colour, shown, { validateStream: false }) : shown),
    ...(process.stdout.isTTY && { columns: process.stdout.columns }),
    ...(process.stderr.isTTY && { progress }),
    ...(process.stdout.isTTY && { live }),
    ...(process.stdin.isTTY && process.stderr.isTTY && { ask, askUnseen }),
  };
}

/** Cut to one row of the terminal: of a line that goes on in the next row, only the last row would be replaced. */
function progress(line: string): void {
  process.stderr.write(`\r\u001b[2K${fitted(line, process.stderr.columns - 1)}`);
}

const ownScreen = { enter: "\u001b[?1049h\u001b[?25l", leave: "\u001b[?25h\u001b[?1049l" };
const home = "\u001b[H";
const restOfLine = "\u001b[K";
const restOfScreen = "\u001b[J";

/** On a screen of its own, so that what stood there before comes back. What does not fit is cut. */
async function live(draw: () => readonly string[], everyMs: number): Promise<void> {
  const { stdout } = process;
  const paint = (): void => {
    const shown = draw().slice(0, stdout.rows - 1);
    stdout.write(home + shown.map((line) => `${fitted(line, stdout.columns)}${restOfLine}\n`).join("") + restOfScreen);
  };
  const over = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => over.resolve());
  stdout.write(ownScreen.enter);
  const timer = setInterval(paint, everyMs);
  try {
    paint();
    await over.promise;
  } finally {
    clearInterval(timer);
    stdout.write(ownScreen.leave);
  }
}

/** On standard error: standard output is for results. */
function ask(question: string): Promise<string> {
  return readLine(question, process.stderr);
}

/** The echo of what is typed, and whatever else is drawn of it, goes nowhere. */
async function askUnseen(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const answer = readLine("", nowhere); // from here on the terminal itself echoes nothing: only now may anybody type
  process.stderr.write(question);
  const typed = await answer;
  process.stderr.write("\n");
  return typed;
}

async function readLine(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const gone = new Promise<string>((resolve) => lines.once("close", () => resolve(""))); // Ctrl-C, Ctrl-D: no answer
  try {
    return await Promise.race([lines.question(question), gone]);
  } finally {
    lines.close();
  }
}
