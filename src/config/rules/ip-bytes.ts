/** Bytes of a dotted IPv4 address; undefined if a part is over 255. */
export function ipv4Bytes(text: string): readonly number[] | undefined {
  const parts = text.split('.').map(Number);
  return parts.length === 4 && parts.every((part) => part >= 0 && part <= 255) ? parts : undefined;
}

/** The 16 bytes of an IPv6 address without its zone; undefined if it is none. */
export function ipv6Bytes(text: string): readonly number[] | undefined {
  const bare = text.split('%')[0] ?? '';
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  const tail = dotted?.[2] === undefined ? [] : ipv4Bytes(dotted[2]);
  if (tail === undefined) return undefined;
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const body = dotted?.[1] === undefined ? bare : dotted[1].replace(/([^:]):$/, '$1');
  const gap = body.indexOf('::');
  const head = groups(gap < 0 ? body : body.slice(0, gap));
  const rest = gap < 0 ? [] : groups(body.slice(gap + 2));
  const missing = 8 - head.length - rest.length - tail.length / 2;
  if (missing < 0 || (gap < 0 && missing !== 0)) return undefined;
  const all = [...head, ...new Array<string>(missing).fill('0'), ...rest];
  return [
    ...all.map((group) => Number.parseInt(group, 16)).flatMap((value) => [value >> 8, value & 255]),
    ...tail,
  ];
}
