// Checks Avro bytes against the schema they are written in, before anything else reads them, because avsc trusts them:
// a count of a billion is a billion turns of a loop, nulls become a list for 340 ms and more, and a block of negative
// size is skipped forever. Here no count or length may exceed the remaining bytes, and values without bytes are
// counted: a schema of 2 KB can have ten million of them in an empty record. So the time is linear in the bytes, and
// after a successful check avsc's reading will end too.
/** The parts of avsc's types that are used here. */
export interface AvroType {
  typeName: string;
  fields?: { type: AvroType }[];
  itemsType?: AvroType;
  valuesType?: AvroType;
  types?: AvroType[];
  symbols?: string[];
  size?: number;
  underlyingType?: AvroType;
}

/** @throws RangeError, and nothing else, where the bytes are not a value of the schema */
export type AvroWalk = (bytes: Buffer) => void;

type Step = (cursor: Cursor, depth: number) => void;

/** No schema of ours is recursive; a writer's may be, to this depth. */
const maxDepth = 64;
/** Values without bytes that any record may have, in addition to one per byte. */
const fewEmpty = 256;

export function makeAvroWalk(type: AvroType): AvroWalk {
  const step = stepOf(type, new Map());
  return (bytes) => {
    const cursor = new Cursor(bytes);
    step(cursor, 0);
    if (cursor.left > 0) throw new RangeError(`${cursor.left} bytes behind the value`);
  };
}

const textStep: Step = (cursor) => cursor.skip(cursor.long());
const simple: Record<string, Step> = {
  null: (cursor) => cursor.takeEmpty(),
  boolean: (cursor) => cursor.skip(1),
  int: (cursor) => void cursor.long(),
  long: (cursor) => void cursor.long(),
  float: (cursor) => cursor.skip(4),
  double: (cursor) => cursor.skip(8),
  bytes: textStep,
  string: textStep,
};

/** @param known types in progress: a record may contain itself */
function stepOf(type: AvroType, known: Map<AvroType, Step>): Step {
  const before = known.get(type);
  if (before !== undefined) return before;
  let made: Step | undefined;
  known.set(type, (cursor, depth) => made!(cursor, depth));
  made = makeStep(type, known);
  known.set(type, made);
  return made;
}

function makeStep(shape: AvroType, known: Map<AvroType, Step>): Step {
  const { typeName, fields, itemsType, valuesType, types, symbols, size, underlyingType } = shape;
  const own = Object.hasOwn(simple, typeName) ? simple[typeName] : undefined;
  if (own !== undefined) return own;
  if (underlyingType !== undefined) return stepOf(underlyingType, known);
  if (fields !== undefined) return recordStep(fields.map((field) => stepOf(field.type, known)));
  if (itemsType !== undefined) return blocksStep(stepOf(itemsType, known));
  if (valuesType !== undefined) return blocksStep(entryStep(stepOf(valuesType, known)));
  if (types !== undefined) return unionStep(types.map((each) => stepOf(each, known)));
  if (symbols !== undefined) return (cursor) => void cursor.index(symbols.length);
  if (size === 0) return simple["null"]!;
  if (size !== undefined) return (cursor) => cursor.skip(size);
  if (typeName.startsWith("abstract:")) return simple["long"]!;
  throw new Error(`there is no Avro type ${typeName}`);
}

function recordStep(fields: Step[]): Step {
  return (cursor, depth) => {
    if (depth === maxDepth) throw new RangeError(`more than ${maxDepth} records in one another`);
    const before = cursor.left;
    for (const field of fields) field(cursor, depth + 1);
    if (cursor.left === before) cursor.takeEmpty();
  };
}

function entryStep(value: Step): Step {
  return (cursor, depth) => {
    textStep(cursor, depth);
    value(cursor, depth);
  };
}

function unionStep(branches: Step[]): Step {
  return (cursor, depth) => branches[cursor.index(branches.length)]!(cursor, depth);
}

/** Blocks of items, each after its count; a negative count is followed by the block's size in bytes. */
function blocksStep(item: Step): Step {
  return (cursor, depth) => {
    for (let count = cursor.long(); count !== 0; count = cursor.long()) {
      const end = count < 0 ? sizedBlockEnd(cursor) : undefined;
      for (let left = Math.abs(count); left > 0; left -= 1) item(cursor, depth);
      if (end !== undefined && cursor.left !== end) throw new RangeError("a block of another size than it says");
    }
  };
}

/** Reads a block's size. @returns how many bytes must remain after the block */
function sizedBlockEnd(cursor: Cursor): number {
  const size = cursor.long();
  if (size < 0 || size > cursor.left) throw new RangeError(`a block of ${size} bytes`);
  return cursor.left - size;
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;
  /** How many more values without bytes are allowed. */
  #emptyLeft: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#emptyLeft = bytes.length + fewEmpty;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(length: number): void {
    if (length < 0 || length > this.left) throw new RangeError(`${length} bytes where ${this.left} are left`);
    this.#at += length;
  }

  /** A value without bytes, such as null. */
  takeEmpty(): void {
    this.#emptyLeft -= 1;
    if (this.#emptyLeft < 0) throw new RangeError(`too many values without bytes in ${this.#bytes.length} bytes`);
  }

  /** The index of a branch or a symbol. */
  index(count: number): number {
    const index = this.long();
    if (index < 0 || index >= count) throw new RangeError(`number ${index} of ${count}`);
    return index;
  }

  /** Zigzag, 64 bits; inexact above 2^53, which avsc refuses. */
  long(): number {
    let value = 0;
    for (let scale = 1, read = 0; ; scale *= 128, read += 1) {
      if (read === 10 || this.left === 0) throw new RangeError("a number that does not end");
      const byte = this.#bytes[this.#at]!;
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }
}
