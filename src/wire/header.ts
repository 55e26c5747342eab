/** The three packet headers (wire-protocol section 2). */

export const MAGIC_80 = 0x83740267;
export const MAGIC_95 = 0x835a;
export const MAGIC_100 = 0x8620ec20;

/** Which header: 80 and 95 have 8 bytes, 100 has 16 and a volume number. */
export type HeaderKind = 80 | 95 | 100;

/** Size in bytes of the headers of an agreed protocol (0: not agreed, 8 bytes). */
export function headerSize(protocol: number): 8 | 16 {
  return protocol >= 100 ? 16 : 8;
}

/** The header a sender uses; `length` is that of the payload in bytes (wire-protocol 2.1). */
export function headerKind(protocol: number, length: number): HeaderKind {
  if (protocol >= 100) return 100;
  return protocol >= 95 && length + 8 > 32768 ? 95 : 80;
}

/**
 * Writes a header at `offset` and returns the offset after it. `protocol` is the agreed version, 0 (or
 * anything below 100) before there is one. Allocates nothing.
 */
export function writeHeader(
  view: DataView,
  offset: number,
  protocol: number,
  command: number,
  volume: number,
  length: number,
): number {
  if (protocol >= 100) {
    view.setUint32(offset, MAGIC_100);
    view.setUint16(offset + 4, volume);
    view.setUint16(offset + 6, command);
    view.setUint32(offset + 8, length);
    view.setUint32(offset + 12, 0);
    return offset + 16;
  }
  if (headerKind(protocol, length) === 95) {
    view.setUint16(offset, MAGIC_95);
    view.setUint16(offset + 2, command);
    view.setUint32(offset + 4, length);
  } else {
    if (length > 0xffff) throw new RangeError(`payload of ${length} bytes in an 8-byte header`);
    view.setUint32(offset, MAGIC_80);
    view.setUint16(offset + 4, command);
    view.setUint16(offset + 6, length);
  }
  return offset + 8;
}
