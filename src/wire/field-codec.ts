/** Single fields: reading and writing each type of layouts.ts at an offset. */
import { type FieldType } from './layouts';

export type FieldValue = number | bigint | string;

const TWO_32 = 0x1_0000_0000;
const NAME_BYTES = 64;

/** A u64 as number, NaN if it exceeds 2^53-1. No allocation. */
export function readCount(view: DataView, at: number): number {
  const high = view.getUint32(at);
  return high > 0x1fffff ? NaN : high * TWO_32 + view.getUint32(at + 4);
}

/** Writes a number from 0 to 2^53-1 as u64. No allocation. */
export function writeCount(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value % TWO_32);
}

/** Latin-1 up to the first NUL or `length` bytes. */
export function readName(view: DataView, at: number, length: number): string {
  let name = '';
  for (let i = 0; i < length; i++) {
    const code = view.getUint8(at + i);
    if (code === 0) break;
    name += String.fromCharCode(code);
  }
  return name;
}

/** Writes latin-1 and zeroes up to `length` bytes, at least one. @throws RangeError if it does not fit. */
export function writeName(view: DataView, at: number, length: number, name: string): void {
  if (name.length >= length) throw new RangeError(`"${name}" does not fit into ${length} bytes`);
  for (let i = 0; i < length; i++) {
    const code = i < name.length ? name.charCodeAt(i) : 0;
    if (code > 0xff || (code === 0 && i < name.length))
      throw new RangeError(`"${name}" cannot be sent as a name`);
    view.setUint8(at + i, code);
  }
}

/** Value of a field; NaN for a `count` that is too large to be one. */
export function readField(view: DataView, at: number, type: FieldType): FieldValue {
  switch (type) {
    case 'u8':
      return view.getUint8(at);
    case 'i8':
      return view.getInt8(at);
    case 'u16':
      return view.getUint16(at);
    case 'u32':
      return view.getUint32(at);
    case 'i32':
      return view.getInt32(at);
    case 'u64':
      return view.getBigUint64(at);
    case 'count':
      return readCount(view, at);
    case 'name64':
      return readName(view, at, NAME_BYTES);
  }
}

type IntegerType = Exclude<FieldType, 'u64' | 'name64'>;

/** u32 also takes what JavaScript's bit operators make of words with bit 31 set: negative numbers. */
const RANGE: Readonly<Record<IntegerType, readonly [number, number]>> = {
  u8: [0, 0xff],
  i8: [-0x80, 0x7f],
  u16: [0, 0xffff],
  u32: [-0x80000000, 0xffffffff],
  i32: [-0x80000000, 0x7fffffff],
  count: [0, Number.MAX_SAFE_INTEGER],
};

function writeInteger(view: DataView, at: number, type: IntegerType, value: number): void {
  const [min, max] = RANGE[type];
  if (!Number.isInteger(value) || value < min || value > max) throw new RangeError(`${value} is no ${type}`);
  switch (type) {
    case 'u8':
      return view.setUint8(at, value);
    case 'i8':
      return view.setInt8(at, value);
    case 'u16':
      return view.setUint16(at, value);
    case 'u32':
      return view.setUint32(at, value);
    case 'i32':
      return view.setInt32(at, value);
    case 'count':
      return writeCount(view, at, value);
  }
}

/** Writes a field. @throws RangeError for a value that the type cannot hold (the caller's mistake). */
export function writeField(view: DataView, at: number, type: FieldType, value: unknown): void {
  if (type === 'u64' && typeof value === 'bigint') {
    if (value < 0n || value >> 64n !== 0n) throw new RangeError(`${value} is no u64`);
    view.setBigUint64(at, value);
  } else if (type === 'name64' && typeof value === 'string') {
    writeName(view, at, NAME_BYTES, value);
  } else if (type !== 'u64' && type !== 'name64' && typeof value === 'number') {
    writeInteger(view, at, type, value);
  } else {
    throw new RangeError(`${typeof value} is no ${type}`);
  }
}
