// Keys and headers of a dead letter, as far as they may be seen: as text where it is text, else in hex; headers that
// sound like a secret or look like a token are withheld.
import type { InRecord } from "../../kafka/records.ts";
import { printableText } from "./letters.ts";

export type ShownBytes = { text: string } | { hex: string; bytes: number } | { withheld: true; bytes: number };

const longestShown = 1000;
export const soundsSecret = /authorization|cookie|passw|secret|token|credential|api-?key/i;
const looksLikeToken = /eyJ[\w-]{8,}\.[\w-]+/;

export function shownHeaders({ headers }: InRecord): Record<string, ShownBytes | ShownBytes[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const each = [value ?? []].flat().map((bytes) => shownHeader(name, bytes));
      return [name, each.length === 1 ? each[0]! : each];
    }),
  );
}

function shownHeader(name: string, bytes: Buffer): ShownBytes {
  const secret = soundsSecret.test(name) || looksLikeToken.test(bytes.toString("latin1", 0, 4 * longestShown));
  return secret ? { withheld: true, bytes: bytes.length } : shownBinary(bytes);
}

/** As text where it is text that can be shown, else in hex; a long one is cut. */
export function shownBinary(bytes: Buffer): ShownBytes {
  const text = printableText(bytes);
  if (text !== undefined && text.length <= longestShown) return { text };
  if (text !== undefined) return { text: `${text.slice(0, longestShown)}... (${bytes.length} bytes)` };
  return { hex: bytes.subarray(0, longestShown / 2).toString("hex"), bytes: bytes.length };
}

export function bytesText(shown: ShownBytes): string {
  if ("text" in shown) return shown.text;
  if ("hex" in shown) return `0x${shown.hex}${shown.hex.length < 2 * shown.bytes ? `... (${shown.bytes} bytes)` : ""}`;
  return `(withheld: ${shown.bytes} bytes)`;
}

/** JSON of whatever Avro decodes to, such as longs that no number holds. */
export function jsonText(fields: object): string {
  return JSON.stringify(fields, (_, each: unknown) => (typeof each === "bigint" ? String(each) : each));
}
