/*
 * Memory that direct I/O accepts. WebAssembly memory starts at a page boundary, which no Buffer promises.
 */
import { type WasmMemory } from '../metadata/dump-kernel';

declare const WebAssembly: { readonly Memory: new (size: { initial: number }) => WasmMemory };

const WASM_PAGE = 65536;
const PAGE = 4096;

/** At least `bytes` bytes of zeroed memory, page-aligned where the runtime can (else direct I/O fails with EINVAL). */
export function alignedBuffer(bytes: number): Uint8Array {
  return new PageMemory(bytes).take(bytes);
}

const pageMemory = new WeakSet<ArrayBufferLike>();

/** Whether direct I/O takes these bytes as they are. */
export function isPageAligned(bytes: Uint8Array): boolean {
  return bytes.byteOffset % PAGE === 0 && pageMemory.has(bytes.buffer);
}

/** Several buffers in one memory. What is never touched takes no memory. */
export class PageMemory {
  /** Undefined where there is no WebAssembly; buffers are then not aligned. */
  readonly memory: WasmMemory | undefined;
  private readonly buffer: ArrayBuffer;
  private used: number;

  /** Room for `bytes` in all, rounded up to pages, and for `scratch` bytes at address 0. */
  constructor(bytes: number, scratch = 0) {
    const pages = Math.ceil((bytes + scratch + PAGE) / WASM_PAGE);
    this.used = scratch;
    try {
      this.memory = new WebAssembly.Memory({ initial: pages });
      this.buffer = this.memory.buffer;
      pageMemory.add(this.buffer);
    } catch {
      this.buffer = new ArrayBuffer(pages * WASM_PAGE);
    }
  }

  take(bytes: number): Uint8Array<ArrayBuffer> {
    const from = Math.ceil(this.used / PAGE) * PAGE;
    this.used = from + bytes;
    return new Uint8Array(this.buffer, from, bytes);
  }
}
