// Reads what other producers, or a broker's own compression.type, have compressed: snappy, lz4 and zstd. (kafkajs brings gzip. Without
// the others one such batch kills the consumer each time it is read: measured, 10 rebuilds a second and no partition served.)
// Only reading: we send uncompressed, sealed fields do not shrink. Nothing grows beyond maxBytes, whatever the bytes claim.
import zlib from "node:zlib";

/** Largest batch, unpacked. Brokers bound what is packed, by default to 1 MiB. */
const maxBytes = 128 * 1024 * 1024;

/** Unpacked bytes; references go back into what is already there, overlapping what they write. */
class Output {
  #bytes: Buffer;
  #length = 0;

  constructor(expected: number) {
    this.#bytes = Buffer.allocUnsafe(Math.min(expected, maxBytes));
  }

  literal(source: Buffer, from: number, length: number): void {
    if (from + length > source.length) throw new RangeError("compressed batch: cut off");
    this.#reserve(length);
    source.copy(this.#bytes, this.#length, from, from + length);
    this.#length += length;
  }

  reference(distance: number, length: number): void {
    if (distance === 0 || distance > this.#length) throw new RangeError("compressed batch: reference before its begin");
    this.#reserve(length);
    for (let left = length; left > 0; ) {
      const step = Math.min(left, distance);
      this.#bytes.copyWithin(this.#length, this.#length - distance, this.#length - distance + step);
      this.#length += step;
      left -= step;
    }
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed > maxBytes) throw new RangeError(`compressed batch: over ${maxBytes} bytes`);
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.min(Math.max(2 * this.#bytes.length, needed), maxBytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

const xerialMagic = Buffer.from("\u0082SNAPPY\0", "latin1");
const xerialHeaderBytes = 16;

/** Snappy as Java's producer writes it, in xerial's chunks, or as one bare block (librdkafka). */
export function unpackSnappy(input: Buffer): Buffer {
  const output = new Output(4 * input.length);
  if (!input.subarray(0, xerialMagic.length).equals(xerialMagic)) {
    snappyBlock(input, output);
    return output.done();
  }
  for (let at = xerialHeaderBytes; at < input.length; ) {
    const length = input.readUInt32BE(at);
    if (at + 4 + length > input.length) throw new RangeError("compressed batch: cut off");
    snappyBlock(input.subarray(at + 4, at + 4 + length), output);
    at += 4 + length;
  }
  return output.done();
}

/** One block: its unpacked length as a varint, then literals and references (google/snappy, format_description.txt). */
function snappyBlock(input: Buffer, output: Output): void {
  let at = 0;
  while (input.readUInt8(at) >= 0x80) at += 1;
  at += 1;
  while (at < input.length) {
    const tag = input[at]!;
    const kind = tag & 3;
    at += 1;
    if (kind === 0) {
      const lengthBytes = Math.max(0, (tag >> 2) - 59);
      const length = (lengthBytes === 0 ? tag >> 2 : input.readUIntLE(at, lengthBytes)) + 1;
      output.literal(input, at + lengthBytes, length);
      at += lengthBytes + length;
    } else if (kind === 1) {
      output.reference(((tag >> 5) << 8) | input.readUInt8(at), 4 + ((tag >> 2) & 7));
      at += 1;
    } else {
      const distanceBytes = kind === 2 ? 2 : 4;
      output.reference(input.readUIntLE(at, distanceBytes), (tag >> 2) + 1);
      at += distanceBytes;
    }
  }
}

const lz4Magic = 0x184d2204;
const uncompressedBlock = 0x8000_0000;

/** One LZ4 frame (lz4_Frame_format.md). Its checksums are not verified: the broker has verified the batch's own. */
export function unpackLz4(input: Buffer): Buffer {
  if (input.readUInt32LE(0) !== lz4Magic) throw new RangeError("compressed batch: no LZ4 frame");
  const flags = input.readUInt8(4);
  const [hasSize, hasDictionary, hasBlockChecksum] = [flags & 8, flags & 1, flags & 16];
  const output = new Output(4 * input.length);
  let at = 7 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0);
  for (let size = input.readUInt32LE(at); size !== 0; size = input.readUInt32LE(at)) {
    const length = size % uncompressedBlock;
    at += 4;
    if (at + length > input.length) throw new RangeError("compressed batch: cut off");
    if (size >= uncompressedBlock) output.literal(input, at, length);
    else lz4Block(input.subarray(at, at + length), output);
    at += length + (hasBlockChecksum ? 4 : 0);
  }
  return output.done();
}

/** Sequences of literals and a reference; the last has no reference (lz4_Block_format.md). */
function lz4Block(input: Buffer, output: Output): void {
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
  while (at < input.length) {
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

/** By Node itself; one older than 22.15, which only a service with our client may be, cannot. */
export function unpackZstd(input: Buffer): Buffer {
  return zlib.zstdDecompressSync(input, { maxOutputLength: maxBytes });
}
