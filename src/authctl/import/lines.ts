// The lines of a file, or of standard input, as rows of an import: one JSON object a line. Memory grows neither with
// the file nor with a line: a line that is too long is skipped and rejected.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { asError } from "../../lib/errors.ts";
import { UsageFault } from "../faults.ts";
import { RowFault, type SourceRow } from "./rows.ts";
import { pageRows, type Source, type SourcePosition } from "./source.ts";

/** Names, an address and a hash are 1 KB at the most. */
const longestLine = 65_536;
const fingerprintBytes = 65_536;
const start: SourcePosition = { position: 0, nextByte: 0 };

/** @param file "-" is standard input. @throws UsageFault where it cannot be read */
export async function openLines(file: string): Promise<Source> {
  if (file === "-") return standardInput;
  try {
    const path = await realpath(file);
    const { size } = await stat(path);
    return {
      name: `file:${path}`,
      fingerprint: await fileFingerprint(path),
      resumable: true,
      start,
      largestId: 0,
      extent: async ({ nextByte }) => ({ total: Math.max(size - nextByte, 0), unit: "bytes" }),
      pages: (after) => readPages(createReadStream(path, { start: after.nextByte }), after),
    };
  } catch (error) {
    throw new UsageFault(`${file} cannot be read: ${asError(error).message}`);
  }
}

const standardInput: Source = {
  name: "file:-",
  fingerprint: "",
  resumable: false,
  start,
  largestId: 0,
  extent: async () => ({ total: undefined, unit: "bytes" }),
  pages: (after) => readPages(process.stdin, after),
};

async function fileFingerprint(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(fingerprintBytes), 0, fingerprintBytes, 0);
    return createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex");
  } finally {
    await file.close();
  }
}

async function* readPages(stream: AsyncIterable<Buffer>, after: SourcePosition): AsyncGenerator<readonly SourceRow[]> {
  let page: SourceRow[] = [];
  let { position, nextByte } = after;
  for await (const { line, bytes } of split(stream)) {
    position += 1;
    nextByte += bytes;
    const given = readLine(line, position === 1);
    if (given === undefined) continue;
    page.push({ position, nextByte, given });
    if (page.length < pageRows) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

interface Line {
  /** Undefined: it was too long. */
  line: Buffer | undefined;
  /** With its end. */
  bytes: number;
}

async function* split(stream: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let held: Buffer[] = [];
  let bytes = 0;
  const take = (): Line => {
    const taken = { line: bytes > longestLine ? undefined : Buffer.concat(held), bytes };
    [held, bytes] = [[], 0];
    return taken;
  };
  for await (const chunk of stream) {
    let from = 0;
    while (from < chunk.length) {
      const newline = chunk.indexOf(0x0a, from);
      const end = newline < 0 ? chunk.length : newline + 1;
      bytes += end - from;
      if (bytes <= longestLine) held.push(chunk.subarray(from, end));
      else held = [];
      from = end;
      if (newline >= 0) yield take();
    }
  }
  if (bytes > 0) yield take();
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns undefined for an empty line */
function readLine(line: Buffer | undefined, first: boolean): SourceRow["given"] | undefined {
  if (line === undefined) return new RowFault("row-invalid", `the line has more than ${longestLine} bytes`);
  try {
    const text = utf8.decode(line).trim();
    const plain = first ? text.replace(/^\ufeff/, "") : text;
    if (plain === "") return undefined;
    const value: unknown = JSON.parse(plain);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // The parser's message would repeat the text, which may be a hash.
  }
  return new RowFault("row-invalid", "the line is not one JSON object");
}
