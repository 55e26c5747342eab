/*
 * A structure on disk is a table of fields; encoder, decoder and the superblock dump come from the same table.
 * All fields are big endian (metadata.md, conventions).
 */

/** `u64` is decoded to a bigint; `size` is a 64-bit count decoded to a number (exact below 2^53). */
export type ScalarType = 'u64' | 'size' | 'u32' | 's32' | 'u16';

export interface ScalarField {
  readonly offset: number;
  readonly type: ScalarType;
  /** Present: an array of that many values. */
  readonly count?: number;
  /** Not part of the decoded value, written as zero. */
  readonly reserved?: true;
}

export interface StructField {
  readonly offset: number;
  readonly struct: FieldTable;
  readonly stride: number;
  readonly count: number;
}

export type FieldTable = Readonly<Record<string, ScalarField | StructField>>;

type Scalar<F> = F extends { type: 'u64' } ? bigint : number;
type FieldValue<F> = F extends { struct: infer T extends FieldTable }
  ? RecordOf<T>[]
  : F extends { count: number }
    ? Scalar<F>[]
    : Scalar<F>;

/** The plain value that a table describes, without its reserved fields. */
export type RecordOf<T extends FieldTable> = {
  -readonly [K in keyof T as T[K] extends { reserved: true } ? never : K]: FieldValue<T[K]>;
};

const WIDTH: Readonly<Record<ScalarType, number>> = { u64: 8, size: 8, u32: 4, s32: 4, u16: 2 };

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads one value at a byte offset, big endian. */
export function readScalar(view: DataView, type: ScalarType, offset: number): bigint | number {
  switch (type) {
    case 'u64':
      // Most are zero, which is one value for all of them.
      return view.getUint32(offset) === 0 && view.getUint32(offset + 4) === 0
        ? 0n
        : view.getBigUint64(offset);
    case 'size':
      return view.getUint32(offset) * 0x1_0000_0000 + view.getUint32(offset + 4);
    case 'u32':
      return view.getUint32(offset);
    case 's32':
      return view.getInt32(offset);
    case 'u16':
      return view.getUint16(offset);
  }
}

function writeScalar(view: DataView, type: ScalarType, offset: number, value: bigint | number): void {
  switch (type) {
    case 'u64':
      view.setBigUint64(offset, BigInt(value));
      return;
    case 'size': {
      const size = Number(value);
      view.setUint32(offset, Math.floor(size / 0x1_0000_0000));
      view.setUint32(offset + 4, size % 0x1_0000_0000);
      return;
    }
    case 'u32':
    case 's32':
      view.setUint32(offset, Number(value));
      return;
    case 'u16':
      view.setUint16(offset, Number(value));
      return;
  }
}

/** Every value of a scalar field, reserved or not, in order. */
export function readField(view: DataView, field: ScalarField, base = 0): (bigint | number)[] {
  const { type, count = 1 } = field;
  const width = WIDTH[type];
  const values: (bigint | number)[] = [];
  for (let i = 0, at = base + field.offset; i < count; i++, at += width) {
    values.push(readScalar(view, type, at));
  }
  return values;
}

interface NamedField {
  readonly name: string;
  readonly field: ScalarField | StructField;
}
/** The fields that have a value, listed once a table: superblocks are read and written all the time. */
const listed = new WeakMap<FieldTable, readonly NamedField[]>();

function fieldsOf(table: FieldTable): readonly NamedField[] {
  let fields = listed.get(table);
  if (fields === undefined) {
    fields = Object.entries(table)
      .map(([name, field]) => ({ name, field }))
      .filter(({ field }) => 'struct' in field || !field.reserved);
    listed.set(table, fields);
  }
  return fields;
}

function decodeAt(table: FieldTable, view: DataView, base: number): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const { name, field } of fieldsOf(table)) {
    if ('struct' in field) {
      const elements: unknown[] = [];
      for (let i = 0, at = base + field.offset; i < field.count; i++, at += field.stride) {
        elements.push(decodeAt(field.struct, view, at));
      }
      record[name] = elements;
    } else if (field.count === undefined) record[name] = readScalar(view, field.type, base + field.offset);
    else record[name] = readField(view, field, base);
  }
  return record;
}

/** Decodes a structure; `bytes` must be at least as long as the last field reaches (RangeError otherwise). */
export function decodeFields<T extends FieldTable>(table: T, bytes: Uint8Array): RecordOf<T> {
  // The one place where the table's run-time shape becomes its compile-time type.
  return decodeAt(table, viewOf(bytes), 0) as RecordOf<T>;
}

function isScalar(value: unknown): value is bigint | number {
  return typeof value === 'bigint' || typeof value === 'number';
}

type Values = Readonly<Record<string, unknown>>;
function isRecord(value: unknown): value is Values {
  return typeof value === 'object' && value !== null;
}

function encodeAt(table: FieldTable, record: Values, view: DataView, base: number): void {
  for (const { name, field } of fieldsOf(table)) {
    const value = record[name];
    if (!Array.isArray(value)) {
      encodeOne(name, field, value, view, base + field.offset);
      continue;
    }
    const list: readonly unknown[] = value;
    const stride = 'struct' in field ? field.stride : WIDTH[field.type];
    const count = Math.min(field.count ?? 1, list.length);
    for (let i = 0, at = base + field.offset; i < count; i++, at += stride) {
      encodeOne(name, field, list[i], view, at);
    }
  }
}
function encodeOne(
  name: string,
  field: ScalarField | StructField,
  value: unknown,
  view: DataView,
  at: number,
): void {
  if ('struct' in field) {
    if (!isRecord(value)) throw new TypeError(`${name} is no record`);
    encodeAt(field.struct, value, view, at);
  } else {
    if (!isScalar(value)) throw new TypeError(`${name} is no number`);
    // The block is zero already.
    if (value !== 0n && value !== 0) writeScalar(view, field.type, at, value);
  }
}

/** Encodes into a new block of `size` bytes; reserved fields and padding are zero. Values wrap to their width. */
export function encodeFields<T extends FieldTable>(
  table: T,
  record: Readonly<RecordOf<T>>,
  size: number,
): Uint8Array {
  const bytes = new Uint8Array(size);
  if (isRecord(record)) encodeAt(table, record, viewOf(bytes), 0);
  return bytes;
}
