const sectorBytes = 512;
const wordsPerSector = sectorBytes / 4;

/** What a sector of the device holds. */
export type SectorContent =
  | { readonly kind: 'written'; readonly write: number }
  | { readonly kind: 'zeros' }
  /** Neither: what the disk held before anybody wrote, or a mixture. */
  | { readonly kind: 'other' };

const zeros: SectorContent = { kind: 'zeros' };
const other: SectorContent = { kind: 'other' };

function filler(write: number, sector: number): number {
  return Math.imul(Math.imul(write, 0x9e3779b1) ^ sector, 0x85ebca6b) | 1;
}
/** A buffer whose sectors each name the write and their own place: a lost, torn or misplaced sector is recognised. */
export function taggedSectors(write: number, firstSector: number, sectors: number): Uint8Array {
  const words = new Int32Array(sectors * wordsPerSector);
  for (let i = 0; i < sectors; i++) {
    const at = i * wordsPerSector;
    words.fill(filler(write, firstSector + i), at, at + wordsPerSector);
    words[at] = write;
    words[at + 1] = firstSector + i;
  }
  return new Uint8Array(words.buffer);
}

/** Recognises sector `index` of `bytes`, which comes from place `sector` of the device. */
export function recognise(bytes: Uint8Array, index: number, sector: number): SectorContent {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + index * sectorBytes, wordsPerSector);
  const write = words[0] ?? 0;
  const expected = write === 0 ? 0 : filler(write, sector);
  if ((words[1] ?? 0) !== (write === 0 ? 0 : sector)) return other;
  for (let i = 2; i < wordsPerSector; i++) if (words[i] !== expected) return other;
  return write === 0 ? zeros : { kind: 'written', write };
}

export function describeContent(content: SectorContent): string {
  return content.kind === 'written' ? `write ${content.write}` : content.kind;
}
