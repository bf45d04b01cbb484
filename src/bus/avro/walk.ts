// Walks through Avro bytes by the schema they are written in, before anything reads them. avsc believes what they say:
// a count of a billion that nothing follows is a billion turns of a loop, and of nulls it makes a list, for 340 ms and
// more; a block whose size is negative is skipped for ever. Here no count and no length goes beyond what is left, and
// values without bytes are counted: a schema of 2 KB can have ten million of them in a record of no bytes. So the time
// is linear in the bytes, and a walk that ends well means that avsc's reading will end too.
/** What avsc's types show of themselves, each as far as it has it. */
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

/** @throws RangeError where the bytes are no value of the schema, and nothing but that */
export type AvroWalk = (bytes: Buffer) => void;

type Step = (cursor: Cursor, depth: number) => void;

/** No schema of ours is recursive; of a writer's that is, so much. */
const maxDepth = 64;
/** Values without bytes that any value may have, besides one for each of its bytes. */
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

/** @param known types that are being made: a record may hold itself */
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

/** Reads a block's size. @returns the bytes that must be left behind the block */
function sizedBlockEnd(cursor: Cursor): number {
  const size = cursor.long();
  if (size < 0 || size > cursor.left) throw new RangeError(`a block of ${size} bytes`);
  return cursor.left - size;
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;
  /** So many values that have no bytes may still come. */
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

  /** A value without bytes, such as null, was found. */
  takeEmpty(): void {
    this.#emptyLeft -= 1;
    if (this.#emptyLeft < 0) throw new RangeError(`too many values without bytes in ${this.#bytes.length} bytes`);
  }

  /** Of a branch or a symbol. */
  index(count: number): number {
    const index = this.long();
    if (index < 0 || index >= count) throw new RangeError(`number ${index} of ${count}`);
    return index;
  }

  /** Zigzag, 64 bits; beyond 2^53 it is only about right, and avsc refuses it. */
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
