/** Which versions of each block of a device may be read: the last acknowledged one, and later ones that failed. */

export const BLOCK_BYTES = 4096;

/** The bytes of version `version` of a block: its number and the version, again and again. Version 0 is a new disk's zeros. */
export function bytesOf(block: number, version: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES);
  if (version === 0) return bytes;
  for (let at = 0; at < BLOCK_BYTES; at += 8) {
    bytes.writeUInt32LE(block, at);
    bytes.writeUInt32LE(version, at + 4);
  }
  return bytes;
}

export class WrittenBlocks {
  private readonly acknowledged: Uint32Array;
  private readonly unanswered = new Map<number, Set<number>>();
  private lastVersion = 0;

  constructor(readonly count: number) {
    this.acknowledged = new Uint32Array(count);
  }
  get versions(): number {
    return this.lastVersion;
  }
  /** The version to write. */
  begin(block: number): number {
    const version = ++this.lastVersion;
    const open = this.unanswered.get(block) ?? new Set<number>();
    this.unanswered.set(block, open.add(version));
    return version;
  }
  acknowledge(block: number, version: number): void {
    this.acknowledged[block] = version;
    this.unanswered.delete(block);
  }
  /** Throws if `bytes` is nothing that the block may hold. What was read stays, or is written over. */
  read(block: number, bytes: Uint8Array): void {
    const version = Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(4);
    const wanted = this.acknowledged[block] ?? 0;
    const allowed = version === wanted || this.unanswered.get(block)?.has(version) === true;
    if (!allowed || !bytesOf(block, version).equals(bytes))
      throw new Error(`block ${block} holds version ${version} or parts of it, acknowledged was ${wanted}`);
    this.acknowledge(block, version);
  }
}
