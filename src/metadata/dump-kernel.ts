/*
 * The inner loops of dump-md as WebAssembly: hexadecimal text 16 digits at a time, where the processor has vectors of 16
 * bytes. dump-bitmap.ts and dump-writer.ts do the same without it, word by word, and decide everything that is rare.
 */
import {
  apply,
  applyVector,
  assemble,
  block,
  branch,
  branchIf,
  get,
  i32,
  i64,
  loadI32,
  loadI64,
  loadVector,
  loop,
  Op,
  set,
  shuffle,
  storeByte,
  storeI32,
  storeI64,
  storeVector,
  ValueType,
  vector,
  VectorOp,
  when,
  type Code,
  type WasmFunction,
} from './wasm-assembler';

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

/** What this file needs of the runtime's WebAssembly. */
declare const WebAssembly:
  | {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (
        module: object,
        imports: { host: { memory: WasmMemory } },
      ) => { readonly exports: DumpKernel };
    }
  | undefined;

/** Addresses are byte offsets in the memory; all are multiples of 4. Bytes 0 to 63 of the memory are scratch. */
export interface DumpKernel {
  /**
   * Writes whole lines of eight words, with their marks, and stops before a run, before the last 16 words, or at `limit`
   * (which must leave LINE_ROOM bytes). `phase` and `kilobytes` belong to the first line's mark, see dump-bitmap.ts.
   * Returns the words done * 2^32 + the output's end.
   */
  lines(
    words: number,
    count: number,
    out: number,
    limit: number,
    phase: number,
    kilobytes: number,
    maxPeers: number,
  ): number;
  /** Copies every `stride`-th word, `count` in all. Returns where the copy ends. */
  pick(words: number, stride: number, count: number, out: number): number;
  /** Bits set in `count` words, an even number. */
  bits(words: number, count: number): number;
}

/** The most that a line and its mark take. */
export const LINE_ROOM = 128;

/** Undefined where there is no WebAssembly, or none with vectors. */
export function dumpKernel(memory: WasmMemory): DumpKernel | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  try {
    const module = new WebAssembly.Module(assemble([lines(), pick(), bits()]));
    return new WebAssembly.Instance(module, { host: { memory } }).exports;
  } catch {
    return undefined;
  }
}

const { i32: I32, i64: I64, f64: F64 } = ValueType;
const add = (local: number, value: number): Code => set(local, apply(Op.i32_add, get(local), i32(value)));
const ascii = (text: string): bigint =>
  [...text].reduceRight((sum, letter) => sum * 256n + BigInt(letter.charCodeAt(0)), 0n);

function lines(): WasmFunction {
  const [words, count, out, limit, phase, kilobytes, maxPeers] = [0, 1, 2, 3, 4, 5, 6] as const;
  const [start, mark, value, end, tens] = [7, 8, 9, 10, 11] as const;
  const body = [
    set(start, get(words)),
    set(mark, [...get(kilobytes), Op.i64_trunc_f64_u]),
    block(
      loop(
        branchIf(apply(Op.i32_lt_u, get(count), i32(16)), 1),
        branchIf(apply(Op.i32_gt_u, get(out), get(limit)), 1),
        when(apply(Op.i32_eq, loadI32(get(words)), loadI32(get(words), 4)), branchIf(isRun(words), 2)),
        when(apply(Op.i32_eqz, get(phase)), putMark({ out, mark, value, end, tens })),
        storeI32(get(out), i32(Number(ascii('\n   ')))),
        ...[0, 1, 2, 3].map((pair) => putPair(words, out, pair)),
        add(words, 32),
        add(count, -8),
        add(out, 84),
        set(phase, apply(Op.i32_and, apply(Op.i32_add, get(phase), get(maxPeers)), i32(7))),
        set(mark, nextMark(mark, maxPeers)),
        branch(0),
      ),
    ),
    doneAndEnd(apply(Op.i32_sub, get(words), get(start)), get(out)),
  ];
  return {
    name: 'lines',
    parameters: [I32, I32, I32, I32, I32, F64, I32],
    result: F64,
    locals: [I32, I64, I64, I32, I64],
    body: body.flat(),
  };
}

/** 128 kB a line and slot, modulo 2^39. */
function nextMark(mark: number, maxPeers: number): Code {
  const step = apply(Op.i64_mul, apply(Op.i64_extend_i32_u, get(maxPeers)), i64(1024n));
  return apply(Op.i64_and, apply(Op.i64_add, get(mark), step), i64(2n ** 39n - 1n));
}

/** `bytes` / 4 * 2^32 + `end`: exact in a double. */
function doneAndEnd(bytes: Code, end: Code): Code {
  const high = apply(Op.i64_mul, apply(Op.i64_extend_i32_u, bytes), i64(2n ** 30n));
  return [...apply(Op.i64_add, high, apply(Op.i64_extend_i32_u, end)), Op.f64_convert_i64_u];
}

/** Sixteen equal words. */
function isRun(words: number): Code {
  const first = applyVector(VectorOp.i32x4_splat, loadI32(get(words)));
  const equal = (offset: number) => applyVector(VectorOp.i32x4_eq, loadVector(get(words), offset), first);
  const all = [16, 32, 48].reduce(
    (sum, offset) => applyVector(VectorOp.v128_and, sum, equal(offset)),
    equal(0),
  );
  return applyVector(VectorOp.i32x4_all_true, all);
}

const HIGH_DIGITS = Array.from({ length: 16 }, (_, lane) => (lane % 2 === 0 ? 0xff : 0));
const DIGITS = [...'0123456789ABCDEF'].map((digit) => digit.charCodeAt(0));

/** ` 0xHHHHHHHHLLLLLLLL;` for the two little endian words of pair 0 to 3 of a line: their eight bytes from the last. */
function putPair(words: number, out: number, pair: number): Code {
  const lanes = Array.from({ length: 16 }, (_, digit) => (pair % 2) * 8 + 7 - (digit >> 1));
  const bytes = shuffle(loadVector(get(words), 16 * (pair >> 1)), lanes);
  const high = applyVector(VectorOp.i8x16_shr_u, bytes, i32(4));
  const low = applyVector(VectorOp.v128_and, bytes, vector(Array<number>(16).fill(15)));
  const digits = applyVector(VectorOp.v128_bitselect, high, low, vector(HIGH_DIGITS));
  const at = 4 + 20 * pair;
  return [
    ...storeI32(get(out), i32(Number(ascii(' 0x'))), at),
    ...storeVector(get(out), applyVector(VectorOp.i8x16_swizzle, vector(DIGITS), digits), at + 3),
    ...storeByte(get(out), i32(Number(ascii(';'))), at + 19),
  ];
}

interface MarkLocals {
  readonly out: number;
  readonly mark: number;
  readonly value: number;
  readonly end: number;
  readonly tens: number;
}

/** `\n   # at NkB`; the digits are made from the last, in bytes 0 to 15, and then moved. */
function putMark({ out, mark, value, end, tens }: MarkLocals): Code {
  const last = apply(Op.i64_sub, get(value), apply(Op.i64_mul, get(tens), i64(10n)));
  const digit = apply(Op.i32_add, apply(Op.i32_wrap_i64, last), i32(0x30));
  return [
    storeI64(get(out), i64(ascii('\n   # at'))),
    storeByte(get(out), i32(0x20), 8),
    set(value, get(mark)),
    set(end, i32(16)),
    loop(
      set(tens, apply(Op.i64_div_u, get(value), i64(10n))),
      add(end, -1),
      storeByte(get(end), digit),
      set(value, get(tens)),
      branchIf(apply(Op.i32_eqz, apply(Op.i64_eqz, get(value))), 0),
    ),
    storeVector(get(out), loadVector(get(end)), 9),
    set(out, apply(Op.i32_add, get(out), apply(Op.i32_sub, i32(16 + 9), get(end)))),
    storeI32(get(out), i32(Number(ascii('kB')))),
    add(out, 2),
  ].flat();
}

function pick(): WasmFunction {
  const [words, stride, count, out] = [0, 1, 2, 3] as const;
  const body = [
    set(stride, apply(Op.i32_add, get(stride), get(stride))),
    set(stride, apply(Op.i32_add, get(stride), get(stride))),
    block(
      loop(
        branchIf(apply(Op.i32_eqz, get(count)), 1),
        storeI32(get(out), loadI32(get(words))),
        set(words, apply(Op.i32_add, get(words), get(stride))),
        add(out, 4),
        add(count, -1),
        branch(0),
      ),
    ),
    get(out),
  ];
  return { name: 'pick', parameters: [I32, I32, I32, I32], result: I32, locals: [], body: body.flat() };
}

function bits(): WasmFunction {
  const [words, count, sum] = [0, 1, 2] as const;
  const body = [
    block(
      loop(
        branchIf(apply(Op.i32_eqz, get(count)), 1),
        set(sum, apply(Op.i64_add, get(sum), apply(Op.i64_popcnt, loadI64(get(words))))),
        add(words, 8),
        add(count, -2),
        branch(0),
      ),
    ),
    get(sum),
    [Op.f64_convert_i64_u],
  ];
  return { name: 'bits', parameters: [I32, I32], result: F64, locals: [I64], body: body.flat() };
}
