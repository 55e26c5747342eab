const factors: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** Bytes of `64M`, `1G`, `4096`; undefined if it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)([kmgt]?)(i?b)?$/i.exec(text);
  const factor = factors[match?.[2]?.toLowerCase() ?? ''];
  const bytes = Number(match?.[1]) * (factor ?? NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
