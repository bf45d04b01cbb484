// Everything that authctl prints goes through here, because most of it came from outside: names, devices, reasons,
// errors, headers of records. A line is one line, and no text in it moves the cursor, colours, hides or reverses what
// an operator reads: such characters are escaped as JSON writes them (`\u001b`). A document of --json is escaped where
// JSON itself would leave such a character. A command gives one element for each line. Colours come from `paint` alone;
// they are told from text by a mark that nobody else can know.
import { randomUUID } from "node:crypto";
import { escaped, safeJson } from "../../lib/escaped.ts";
import type { Colour, Terminal } from "./terminal.ts";

/** A document as JSON that is safe to look at; whoever parses it gets every character as it was. */
export function documentText(document: object): string {
  return safeJson(JSON.stringify(document, null, 2));
}

/** The terminal, with every text escaped that is not painted by itself. */
export function safeTerminal(terminal: Terminal): Terminal {
  const mark = `${randomUUID()} `;
  const painted = new RegExp(`${mark}(\\w+) (.*?)${mark}`, "gs");
  const safe = (line: string): string => {
    let [shown, end] = ["", 0];
    for (const { 0: whole, 1: colour, 2: text = "", index } of line.matchAll(painted)) {
      shown += escaped(line.slice(end, index)) + terminal.paint(colour as Colour, escaped(text));
      end = index + whole.length;
    }
    return shown + escaped(line.slice(end));
  };
  const { columns, progress, live, ask, askUnseen } = terminal;
  return {
    out: (line) => terminal.out(safe(line)),
    err: (line) => terminal.err(safe(line)),
    input: () => terminal.input(),
    paint: (colour, text) => `${mark}${colour} ${text}${mark}`,
    ...(columns !== undefined && { columns }),
    ...(progress && { progress: (line) => progress(safe(line)) }),
    ...(live && { live: (draw, everyMs) => live(() => draw().map(safe), everyMs) }),
    ...(ask && { ask: (question) => ask(safe(question)) }),
    ...(askUnseen && { askUnseen: (question) => askUnseen(safe(question)) }),
  };
}
