const UNITS = ['KB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const;

/** `16 MB (16344 KB)`: a size in sectors as log lines print it (engine.md 9.9). */
export function sizeText(sectors: number): string {
  const kib = Math.floor(sectors / 2);
  let value = kib;
  let unit = 0;
  while (value >= 10000 && unit < UNITS.length - 1) {
    value = Math.round(value / 1024);
    unit++;
  }
  return `${value} ${UNITS[unit] ?? 'KB'} (${kib} KB)`;
}
