import { findOption } from '../options/catalogue';
import { parseConfigNumber } from '../options/value';

/** The sectors of 512 bytes that the text of a `size` option means; undefined: no number. */
export function sizeInSectors(text: string): number | undefined {
  const spec = findOption('attach', 'size');
  const value = parseConfigNumber(text, spec?.kind === 'number' ? spec.scale : 's');
  return value === undefined ? undefined : Number(value);
}
