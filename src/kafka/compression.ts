// Unpacks compressed record batches: gzip, snappy, lz4 and zstd, for every driver. We send uncompressed (sealed fields
// do not shrink); these come from other producers, or from a topic's or broker's own compression.type.
// Promises, whatever the bytes claim: nothing grows beyond the bound, whatever is broken ends in an Unreadable, and the
// event loop is held for a few milliseconds at a time. gzip and zstd are Node's own, on libuv's threads; snappy and lz4
// are unpacked here, in pieces.
import { setImmediate as nextTurn } from "node:timers/promises";
import zlib from "node:zlib";
import { systemClock } from "../lib/clock.ts";

export type UnreadableReason = "too-large" | "broken" | "unknown-codec" | "old-format";

/** Bytes of a batch that cannot be read as records. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly reason: UnreadableReason;

  constructor(reason: UnreadableReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** As a batch's attributes name them. */
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** @param codec the lowest three bits of a batch's attributes. @throws Unreadable */
export async function unpack(codec: number, packed: Buffer, maxBytes: number): Promise<Buffer> {
  const name = codecs[codec];
  try {
    switch (name) {
      case "none":
        return packed;
      case "gzip":
        return gunzipSoon(packed, maxBytes) ?? (await drained(zlib.createGunzip({ chunkSize }), packed, maxBytes));
      case "zstd":
        return await unzstd(packed, maxBytes);
      case "snappy":
        return await outputOf(unpackSnappy, packed, maxBytes);
      case "lz4":
        return await outputOf(unpackLz4, packed, maxBytes);
      default:
        throw new Unreadable("unknown-codec", `there is no compression ${codec}`);
    }
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable("broken", `${name} that does not unpack: ${(error as Error).message}`);
  }
}

function tooLarge(maxBytes: number): Unreadable {
  return new Unreadable("too-large", `more than ${maxBytes} bytes, unpacked`);
}

/**
 * What one piece of output holds: with Node's 16 KiB a batch of 32 MiB takes 2,048 turns of the loop, and 51 ms instead
 * of 15.
 */
const chunkSize = 256 * 1024;
/**
 * So little is unpacked at once, in well under a millisecond: libuv's threads give way to the loop, and may all be
 * hashing.
 */
const soonBytes = 16 * 1024;

function gunzipSoon(packed: Buffer, maxBytes: number): Buffer | undefined {
  if (packed.length > soonBytes) return undefined;
  try {
    return zlib.gunzipSync(packed, { maxOutputLength: Math.min(chunkSize, maxBytes) });
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw error;
  }
}

/** @returns all that the stream makes of the bytes */
function drained(stream: zlib.Gunzip | zlib.ZstdDecompress, packed: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    stream.on("data", (piece: Buffer) => {
      length += piece.length;
      if (length <= maxBytes) pieces.push(piece);
      else stream.destroy(tooLarge(maxBytes));
    });
    stream.once("end", () => resolve(pieces.length === 1 ? pieces.pop()! : Buffer.concat(pieces, length)));
    stream.once("error", reject);
    stream.once("close", () => pieces.forEach(giveBack)); // not before: a thread may still write behind the last piece
    stream.end(packed);
  });
}

/**
 * Memory that nobody reads any more, at once: V8 leaves it lying until there is much of it, and after a few large
 * batches the process has 150 MiB more.
 */
export function giveBack({ buffer, byteLength }: Buffer): void {
  const isItsOwn = byteLength > Buffer.poolSize && buffer instanceof ArrayBuffer;
  if (isItsOwn && !buffer.detached) buffer.transfer(0);
}

const zstdMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
/** Producers write one; each may have its reader set up a window of 128 MiB, in 4 ms. */
const mostFrames = 16;

/**
 * Frame after frame: Node reads one and leaves the rest. One older than 22.15, which only a service with our client may
 * be, has no zstd.
 */
async function unzstd(packed: Buffer, maxBytes: number): Promise<Buffer> {
  if (typeof zlib.createZstdDecompress !== "function")
    throw new Unreadable("unknown-codec", "this version of Node does not know zstd");
  const frames: Buffer[] = [];
  let length = 0;
  for (let at = 0; at < packed.length; ) {
    const magic = packed.readUInt32LE(at);
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      at += 8 + packed.readUInt32LE(at + 4);
      continue;
    }
    if (magic !== zstdMagic) throw new Unreadable("broken", "no zstd frame");
    if (frames.length === mostFrames) throw new Unreadable("broken", `more than ${mostFrames} zstd frames`);
    const stream = zlib.createZstdDecompress({ chunkSize });
    const frame = await drained(stream, packed.subarray(at), maxBytes - length);
    frames.push(frame);
    length += frame.length;
    at += stream.bytesWritten;
  }
  if (frames.length === 0) throw new Unreadable("broken", "no zstd frame");
  if (frames.length === 1) return frames[0]!;
  const whole = Buffer.concat(frames, length);
  frames.forEach(giveBack);
  return whole;
}

/** Time that the loop is held at once, ms. */
const pieceMs = 4;

/** Runs work that pauses often, and lets others have the loop in between. @returns what it has written */
async function outputOf(
  unpackTo: (packed: Buffer, output: Output) => Iterator<void>,
  packed: Buffer,
  maxBytes: number,
): Promise<Buffer> {
  const output = new Output(4 * packed.length, maxBytes);
  try {
    await inPieces(unpackTo(packed, output));
    return output.done();
  } catch (error) {
    output.giveUp();
    throw error;
  }
}

async function inPieces(work: Iterator<void>): Promise<void> {
  for (let until = systemClock.monotonic() + pieceMs; ; ) {
    if (work.next().done) return;
    if (systemClock.monotonic() < until) continue;
    await nextTurn();
    until = systemClock.monotonic() + pieceMs;
  }
}

/** So many steps between pauses: each copies few bytes, or many at the speed of memory. */
const stepsAtOnce = 5000;
/** Up to here a loop is faster than a call. */
const shortCopy = 24;

/** Unpacked bytes; references go back into what is already there, overlapping what they write. */
class Output {
  readonly #maxBytes: number;
  #bytes: Buffer;
  #length = 0;

  constructor(expected: number, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#bytes = Buffer.allocUnsafe(Math.min(expected, maxBytes));
  }

  get length(): number {
    return this.#length;
  }

  literal(source: Buffer, from: number, length: number): void {
    if (from + length > source.length) throw new RangeError("cut off");
    this.#reserve(length);
    source.copy(this.#bytes, this.#length, from, from + length);
    this.#length += length;
  }

  reference(distance: number, length: number): void {
    if (distance === 0 || distance > this.#length) throw new RangeError("a reference before the beginning");
    this.#reserve(length);
    const bytes = this.#bytes;
    const from = this.#length - distance;
    const to = this.#length;
    if (length <= shortCopy) for (let at = 0; at < length; at += 1) bytes[to + at] = bytes[from + at]!;
    else {
      // What was copied is copied again, twice as much each time: byte by byte, one reference of 32 MiB holds the loop
      // for seconds.
      for (let copied = 0; copied < length; ) {
        const step = Math.min(length - copied, distance + copied);
        bytes.copyWithin(to + copied, from, from + step);
        copied += step;
      }
    }
    this.#length += length;
  }

  giveUp(): void {
    giveBack(this.#bytes);
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @throws Unreadable where so many more bytes are over the bound */
  willHold(more: number): void {
    if (this.#length + more > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }

  #reserve(more: number): void {
    this.willHold(more);
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.min(Math.max(2 * this.#bytes.length, needed), this.#maxBytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    giveBack(this.#bytes);
    this.#bytes = larger;
  }
}

const xerialMagic = Buffer.from("\u0082SNAPPY\0", "latin1");
const xerialHeaderBytes = 16;

/**
 * Snappy as Java's producer writes it, in xerial's chunks, or as one bare block (librdkafka). Streams of chunks may
 * follow one another.
 */
function* unpackSnappy(input: Buffer, output: Output): Generator<void> {
  const isHeader = (at: number): boolean => input.subarray(at, at + xerialMagic.length).equals(xerialMagic);
  if (!isHeader(0)) {
    yield* snappyBlock(input, output);
    return;
  }
  for (let at = 0; at < input.length; ) {
    if (isHeader(at)) {
      yield;
      at += xerialHeaderBytes;
      continue;
    }
    const length = input.readUInt32BE(at);
    if (at + 4 + length > input.length) throw new RangeError("cut off");
    yield* snappyBlock(input.subarray(at + 4, at + 4 + length), output);
    yield;
    at += 4 + length;
  }
}

/** One block: its unpacked length as a varint, then literals and references (google/snappy, format_description.txt). */
function* snappyBlock(input: Buffer, output: Output): Generator<void> {
  const { value: claimed, end: start } = snappyLength(input);
  output.willHold(claimed);
  const end = output.length + claimed;
  for (let at = start, step = 1; at < input.length; step += 1) {
    if (step % stepsAtOnce === 0) yield;
    at = snappyElement(input, at, output);
  }
  if (output.length !== end) throw new RangeError("another length than it says");
}

function snappyLength(input: Buffer): { value: number; end: number } {
  let value = 0;
  for (let at = 0, shift = 1; at < 5; shift *= 128, at += 1) {
    const byte = input.readUInt8(at);
    value += (byte & 0x7f) * shift;
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw new RangeError("a length that does not end");
}

/** @returns where the next one begins */
function snappyElement(input: Buffer, at: number, output: Output): number {
  const tag = input[at]!;
  const kind = tag & 3;
  const next = at + 1;
  if (kind === 0) {
    const lengthBytes = Math.max(0, (tag >> 2) - 59);
    const length = (lengthBytes === 0 ? tag >> 2 : input.readUIntLE(next, lengthBytes)) + 1;
    output.literal(input, next + lengthBytes, length);
    return next + lengthBytes + length;
  }
  if (kind === 1) {
    output.reference(((tag >> 5) << 8) | input.readUInt8(next), 4 + ((tag >> 2) & 7));
    return next + 1;
  }
  const distanceBytes = kind === 2 ? 2 : 4;
  output.reference(input.readUIntLE(next, distanceBytes), (tag >> 2) + 1);
  return next + distanceBytes;
}

const lz4Magic = 0x184d2204;
const uncompressedBlock = 0x8000_0000;

/**
 * One LZ4 frame (lz4_Frame_format.md); what follows it is not looked at, as by Kafka. Its checksums are not verified:
 * the broker has the batch's own.
 */
function* unpackLz4(input: Buffer, output: Output): Generator<void> {
  if (input.readUInt32LE(0) !== lz4Magic) throw new RangeError("no frame");
  const flags = input.readUInt8(4);
  const [hasSize, hasDictionary, hasBlockChecksum] = [flags & 8, flags & 1, flags & 16];
  let at = 7 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0);
  for (let size = input.readUInt32LE(at); size !== 0; size = input.readUInt32LE(at)) {
    const length = size % uncompressedBlock;
    at += 4;
    if (at + length > input.length) throw new RangeError("cut off");
    if (size >= uncompressedBlock) output.literal(input, at, length);
    else yield* lz4Block(input.subarray(at, at + length), output);
    yield;
    at += length + (hasBlockChecksum ? 4 : 0);
  }
}

/** Sequences of literals and a reference; the last has no reference (lz4_Block_format.md). */
function* lz4Block(input: Buffer, output: Output): Generator<void> {
  let at = 0;
  const lengthOf = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (let more = 255; more === 255; length += more) {
      more = input.readUInt8(at);
      at += 1;
    }
    return length;
  };
  for (let step = 1; at < input.length; step += 1) {
    if (step % stepsAtOnce === 0) yield;
    const token = input[at]!;
    at += 1;
    const literals = lengthOf(token >> 4);
    output.literal(input, at, literals);
    at += literals;
    if (at >= input.length) return;
    const distance = input.readUInt16LE(at);
    at += 2;
    output.reference(distance, lengthOf(token & 15) + 4);
  }
}
