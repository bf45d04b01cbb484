// The file of rejects: a JSON line for each row that was not imported, without its hash. The rejects of a batch are
// written before the batch and count only with it. A run that is killed between the two leaves lines after the offset
// in the import's state, and the next run overwrites them.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { asError } from "../../lib/errors.ts";
import { UsageFault } from "../faults.ts";
import type { Reject } from "./rows.ts";

export interface RejectsFile {
  readonly path: string;
  /** That count. */
  readonly bytes: number;
  /** Writes after what counts. @returns the bytes that will count */
  write(rejects: readonly Reject[]): Promise<number>;
  /** What was written counts. */
  keep(): void;
  /** Cuts off what does not count. */
  close(): Promise<void>;
}

const beginning = '{"row":';

/**
 * @param from bytes of an earlier run that count; 0 begins the file anew
 * @throws UsageFault where it cannot be written, or is a file of something else
 */
export async function openRejects(path: string, from: number): Promise<RejectsFile> {
  const file = await openOurs(path);
  const { size } = await file.stat();
  let bytes = Math.min(from, size);
  let written = bytes;
  return {
    path,
    get bytes() {
      return bytes;
    },
    async write(rejects) {
      const lines = Buffer.from(rejects.map((each) => `${JSON.stringify(each)}\n`).join(""));
      if (lines.length > 0) await file.write(lines, 0, lines.length, bytes);
      written = bytes + lines.length;
      return written;
    },
    keep() {
      bytes = written;
    },
    async close() {
      await file.truncate(bytes);
      await file.close();
    },
  };
}

async function openOurs(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600); // it names people
  } catch (error) {
    throw new UsageFault(`The rejects cannot be written: ${asError(error).message}`);
  }
  const { buffer, bytesRead } = await file.read(Buffer.alloc(beginning.length), 0, beginning.length, 0);
  if (bytesRead === 0 || buffer.subarray(0, bytesRead).toString() === beginning) return file;
  await file.close();
  throw new UsageFault(`${path} is no file of rejects: name another one with --rejects.`);
}
