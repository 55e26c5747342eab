/*
 * The fast inner loops of dump-md make the same text as the plain ones.
 */
import fc from 'fast-check';
import { BitmapSlotPrinter } from '../../src/metadata/dump-bitmap';
import { dumpKernel, type WasmMemory } from '../../src/metadata/dump-kernel';
import { DumpWriter, OUTPUT_BYTES } from '../../src/metadata/dump-writer';

declare const WebAssembly: { readonly Memory: new (size: { initial: number }) => WasmMemory };

const memory = new WebAssembly.Memory({ initial: 64 });
const kernel = dumpKernel(memory);
if (kernel === undefined) process.stderr.write('SKIPPED: this processor has no kernel for dump-md\n');
const fast = kernel === undefined ? test.skip : test;
const WORDS_AT = 2 ** 20;

interface Part {
  readonly value: number;
  readonly length: number;
  readonly random: boolean;
}

function wordsOf(parts: readonly Part[]): Uint32Array<ArrayBuffer> {
  const list = parts.flatMap(({ value, length, random }) =>
    Array.from({ length }, (_, i) => (random ? Math.imul(value + i, 0x9e3779b1) >>> 0 : value)),
  );
  const words = new Uint32Array(memory.buffer, WORDS_AT, list.length);
  words.set(list);
  return words;
}

/** `before`: words of one value in front, for marks with many digits. */
function printed(words: Uint32Array, maxPeers: number, before: number, accelerated: boolean): string {
  const pieces: Buffer[] = [];
  const writer = new DumpWriter((bytes) => pieces.push(Buffer.from(bytes)));
  if (accelerated && kernel !== undefined)
    writer.accelerate(kernel, new Uint8Array(memory.buffer, 4096, OUTPUT_BYTES));
  const printer = new BitmapSlotPrinter(writer, before + words.length, maxPeers, true);
  if (before > 0) printer.segment({ length: before, words: undefined, value: 0x11111111 });
  printer.segment({ length: words.length, words, value: 0 });
  printer.end();
  writer.text(`${printer.bitsSet}`);
  writer.end();
  return Buffer.concat(pieces).toString('latin1');
}

const part = fc.record({
  value: fc.constantFrom(0, 0xffffffff, 0x12345678, 0x80000001),
  length: fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 100, max: 3000 })),
  random: fc.boolean(),
});

fast('the same text for words and runs, for every number of peers and place in the bitmap', () => {
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 31 }),
      fc.constantFrom(0, 1024, 7 * 1024, 2 ** 25, 2 ** 32),
      (parts, maxPeers, before) => {
        const words = wordsOf(parts);
        expect(printed(words, maxPeers, before, true)).toBe(printed(words, maxPeers, before, false));
      },
    ),
    { numRuns: 300 },
  );
});

fast('picks every n-th word and counts bits', () => {
  const words = new Uint32Array(memory.buffer, WORDS_AT, 700);
  words.forEach((_, i) => (words[i] = i));
  const out = new Uint32Array(memory.buffer, 2 * WORDS_AT, 101);
  out.fill(0xdead);
  expect(kernel?.pick(WORDS_AT + 4 * 3, 7, 100, 2 * WORDS_AT)).toBe(2 * WORDS_AT + 400);
  expect([...out]).toEqual([...Array.from({ length: 100 }, (_, i) => 7 * i + 3), 0xdead]);
  words.fill(0x80000003);
  expect(kernel?.bits(WORDS_AT, 700)).toBe(2100);
});
