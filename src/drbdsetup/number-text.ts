// Numbers as C's printf shows them, and "unknown" values as the all-ones the real tool shows.

/** `%.Nf` of a finite number: like toFixed, but exact ties go to the even neighbour. */
export function fixed(value: number, digits: 0 | 2): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  // Only an odd multiple of 1/2 (1/8 for two digits) lies exactly between two results.
  const halves = value * (digits === 0 ? 2 : 8);
  if (Number.isInteger(halves) && Math.abs(halves % 2) === 1) {
    const scale = digits === 0 ? 1 : 100;
    const lower = Math.floor(value * scale);
    return ((lower % 2 === 0 ? lower : lower + 1) / scale).toFixed(digits);
  }
  return value.toFixed(digits);
}

/** Sectors as KiB. */
export const kib = (sectors: number | undefined): string =>
  sectors === undefined ? '9223372036854775807' : String(Math.floor(sectors / 2));
export const count64 = (value: number | undefined): string =>
  value === undefined ? '18446744073709551615' : String(value);
export const count32 = (value: number | undefined): string =>
  value === undefined ? '4294967295' : String(value);
