/*
 * As much of WebAssembly's binary format as a module of a few leaf functions over one imported memory needs: functions
 * without calls, blocks without results. Code is a list of bytes; operands come before their operator.
 */
export type Code = readonly number[];

export enum ValueType {
  i32 = 0x7f,
  i64 = 0x7e,
  f64 = 0x7c,
  v128 = 0x7b,
}

export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType;
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

function signed(value: bigint): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    const sign = (low & 0x40) !== 0;
    if ((rest >> 7n === 0n && !sign) || (rest >> 7n === -1n && sign)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

export const i32 = (value: number): Code => [0x41, ...signed(BigInt(value | 0))];
export const i64 = (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))];
export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];

/** One-byte operators, named as in the text format. */
export enum Op {
  i32_eqz = 0x45,
  i32_eq = 0x46,
  i32_lt_u = 0x49,
  i32_gt_u = 0x4b,
  i32_add = 0x6a,
  i32_sub = 0x6b,
  i32_and = 0x71,
  i64_eqz = 0x50,
  i64_add = 0x7c,
  i64_sub = 0x7d,
  i64_mul = 0x7e,
  i64_div_u = 0x80,
  i64_and = 0x83,
  i64_popcnt = 0x7b,
  i32_wrap_i64 = 0xa7,
  i64_extend_i32_u = 0xad,
  i64_trunc_f64_u = 0xb1,
  f64_convert_i64_u = 0xba,
}
export const apply = (operator: Op, ...operands: readonly Code[]): Code => [...operands.flat(), operator];

/** Operators on vectors. */
export enum VectorOp {
  i8x16_swizzle = 0x0e,
  i32x4_splat = 0x11,
  i32x4_eq = 0x37,
  v128_and = 0x4e,
  v128_bitselect = 0x52,
  i8x16_shr_u = 0x6d,
  i32x4_all_true = 0xa3,
}
export const applyVector = (operator: VectorOp, ...operands: readonly Code[]): Code => [
  ...operands.flat(),
  0xfd,
  ...unsigned(operator),
];
export const vector = (bytes: readonly number[]): Code => [0xfd, 0x0c, ...bytes];
export const shuffle = (value: Code, lanes: readonly number[]): Code => [
  ...value,
  ...value,
  0xfd,
  0x0d,
  ...lanes,
];

// Alignment is a hint; 0 promises none.
const at = (offset: number): Code => [0, ...unsigned(offset)];
export const loadI32 = (address: Code, offset = 0): Code => [...address, 0x28, ...at(offset)];
export const loadI64 = (address: Code, offset = 0): Code => [...address, 0x29, ...at(offset)];
export const loadVector = (address: Code, offset = 0): Code => [...address, 0xfd, 0x00, ...at(offset)];
export const storeI32 = (address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  0x36,
  ...at(offset),
];
export const storeI64 = (address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  0x37,
  ...at(offset),
];
export const storeByte = (address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  0x3a,
  ...at(offset),
];
export const storeVector = (address: Code, value: Code, offset = 0): Code => [
  ...address,
  ...value,
  0xfd,
  0x0b,
  ...at(offset),
];

const VOID = 0x40;
const END = 0x0b;
export const block = (...body: readonly Code[]): Code => [0x02, VOID, ...body.flat(), END];
export const loop = (...body: readonly Code[]): Code => [0x03, VOID, ...body.flat(), END];
export const when = (condition: Code, ...body: readonly Code[]): Code => [
  ...condition,
  0x04,
  VOID,
  ...body.flat(),
  END,
];
/** Leaves `depth` enclosing blocks, or starts the loop of that depth again. */
export const branch = (depth: number): Code => [0x0c, ...unsigned(depth)];
export const branchIf = (condition: Code, depth: number): Code => [...condition, 0x0d, ...unsigned(depth)];

function list(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}

function section(id: number, items: readonly Code[]): Code {
  return [id, ...sized(list(items))];
}

function text(value: string): Code {
  return sized([...value].map((letter) => letter.charCodeAt(0)));
}

/** The module's bytes. It imports its memory as `host.memory` and exports every function by its name. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array {
  const body = ({ locals, body: code }: WasmFunction): Code =>
    sized([...list(locals.map((type) => [1, type])), ...code, END]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(
      1,
      functions.map(({ parameters, result }) => [
        0x60,
        ...list(parameters.map((type) => [type])),
        ...list([[result]]),
      ]),
    ),
    ...section(2, [[...text('host'), ...text('memory'), 0x02, 0x00, 0x01]]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]),
    ),
    ...section(10, functions.map(body)),
  ]);
}
