// Tables for people: columns as wide as their widest cell on a terminal, where a Chinese character and an emoji take
// two columns and a combining accent none. The last column is as it is.
import sliceAnsi from "slice-ansi";
import stringWidth from "string-width";
import { escaped } from "../../lib/escaped.ts";

/** How many columns of a terminal a text takes, once it is escaped as safe-terminal.ts shows it. */
export function cellWidth(text: string): number {
  return stringWidth(escaped(text));
}

/** The text with blanks after it, up to this many columns. */
function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - cellWidth(text)));
}

/** The beginning of a line that fits into so many columns; colours in it stay whole, and so does each character. */
export function fitted(line: string, columns: number): string {
  return sliceAnsi(line, 0, Math.max(columns, 0));
}

export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => cellWidth(row[at] ?? ""))));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : padded(cell, widths[at]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** Rows of a name and a value, the values below each other. */
export function aligned(rows: readonly (readonly [string, string])[], indent = ""): string[] {
  const width = Math.max(...rows.map(([name]) => cellWidth(name)));
  return rows.map(([name, value]) => `${indent}${padded(name, width)}  ${value}`.trimEnd());
}
