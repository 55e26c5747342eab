/*
 * Numbers on drbdmeta's command line (metadata.md 7): decimal with an optional unit letter.
 */
import { Refusal } from './refusal';

const SHIFT: Readonly<Record<string, number>> = { k: 10, K: 10, m: 20, M: 20, g: 30, G: 30, s: 9 };
const LIMIT = 1n << 64n;

/**
 * Parses `text`. A bare number counts units of 2^`unitShift` bytes (0 for plain numbers); with a unit letter it is
 * converted to that unit, rounded up. Throws Refusal with the reference's message and status.
 */
export function parseNumber(text: string, unitShift = 0): bigint {
  if (text === '') throw new Refusal(100, 'missing number argument\n');
  const match = /^[ \t\n\v\f\r]*([-+]?)([0-9]+)(.*)$/s.exec(text);
  if (match === null) throw new Refusal(20, `${text} is not a valid number\n`);
  const [, sign = '', digits = '', rest = ''] = match;
  if (rest.length > 1) throw new Refusal(20, `${text} is not a valid number\n`);
  const shift = rest === '' ? unitShift : SHIFT[rest];
  if (shift === undefined) throw new Refusal(20, `${text} is not a valid unit\n`);
  let value = BigInt(digits);
  if (value >= LIMIT) value = LIMIT - 1n;
  if (sign === '-') value = BigInt.asUintN(64, -value);
  const bytes = value << BigInt(shift);
  if (bytes >= LIMIT) throw new Refusal(20, `${text}: out of range\n`);
  return (bytes + (1n << BigInt(unitShift)) - 1n) >> BigInt(unitShift);
}

/** `4 KB`, `9999 KB`, `10 MB`: KiB in the largest unit below 10000 (metadata.md 8.6). */
export function sizeText(kib: number): string {
  const units = 'KMGTPE';
  let value = kib;
  let unit = 0;
  while (value >= 10000 && unit < 5) {
    value = Math.floor(value / 1024) + (Math.floor(value / 512) & 1);
    unit++;
  }
  return `${value} ${units[unit]}B`;
}
