/*
 * Memory that direct I/O accepts. WebAssembly memory starts at a page boundary, which no Buffer promises.
 */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
declare const WebAssembly: { readonly Memory: new (size: { initial: number }) => WasmMemory };

const WASM_PAGE = 65536;

/** At least `bytes` bytes of zeroed memory, page-aligned where the runtime can (else direct I/O fails with EINVAL). */
export function alignedBuffer(bytes: number): Uint8Array {
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE) });
    return new Uint8Array(memory.buffer, 0, bytes);
  } catch {
    return new Uint8Array(bytes);
  }
}
