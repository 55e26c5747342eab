/*
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), slicing-by-8.
 * The activity log stores it with initial value 0 and without final inversion (metadata.md 6.1).
 */

function makeTables(): Uint32Array {
  const tables = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[byte] = crc >>> 0;
  }
  for (let table = 1; table < 8; table++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = tables[(table - 1) * 256 + byte] ?? 0;
      tables[table * 256 + byte] = (previous >>> 8) ^ (tables[previous & 0xff] ?? 0);
    }
  }
  return tables;
}

let tables: Uint32Array | undefined;

/**
 * Continues a CRC-32C over `bytes[start..end)` from the state `seed` (0 for a new one). No inversion before or after:
 * `rawCrc32c('123456789')` is 0x58E3FA20. Returns an unsigned 32-bit number.
 */
export function rawCrc32c(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): number {
  const t = (tables ??= makeTables());
  let crc = seed | 0;
  let at = start;
  // Eight bytes a turn. The `?? 0` are for the type checker: every index is in range.
  for (const last = end - 8; at <= last; at += 8) {
    const b0 = (bytes[at] ?? 0) ^ (crc & 0xff);
    const b1 = (bytes[at + 1] ?? 0) ^ ((crc >>> 8) & 0xff);
    const b2 = (bytes[at + 2] ?? 0) ^ ((crc >>> 16) & 0xff);
    const b3 = (bytes[at + 3] ?? 0) ^ (crc >>> 24);
    crc =
      (t[1792 + b0] ?? 0) ^
      (t[1536 + b1] ?? 0) ^
      (t[1280 + b2] ?? 0) ^
      (t[1024 + b3] ?? 0) ^
      (t[768 + (bytes[at + 4] ?? 0)] ?? 0) ^
      (t[512 + (bytes[at + 5] ?? 0)] ?? 0) ^
      (t[256 + (bytes[at + 6] ?? 0)] ?? 0) ^
      (t[bytes[at + 7] ?? 0] ?? 0);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return crc >>> 0;
}

/** The usual CRC-32C (initial value and final XOR all ones): `crc32c('123456789')` is 0xE3069283. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return ~rawCrc32c(bytes, 0xffffffff, start, end) >>> 0;
}
