/*
 * The hexadecimal dump of a superblock (metadata.md 9.9), as `hexdump -C` prints it.
 */
export function hexDump(bytes: Uint8Array, offset: number): string {
  const lines: string[] = [];
  let previous = '';
  let starred = false;
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, '0'));
    const text = [...row].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    const body = `${hex.slice(0, 8).join(' ')}  ${hex.slice(8).join(' ')}  |${text.join('')}|`;
    if (body === previous && at + 16 < bytes.length) {
      if (!starred) lines.push('*');
      starred = true;
      continue;
    }
    starred = false;
    previous = body;
    lines.push(`${address(offset + at)}  ${body}`);
  }
  lines.push(address(offset + bytes.length));
  return `${lines.join('\n')}\n`;
}

function address(value: number): string {
  return value.toString(16).padStart(8, '0');
}
