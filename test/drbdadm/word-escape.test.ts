import { escapeWord } from '../../src/drbdadm/word-escape';

test('words of safe characters stay as they are', () => {
  expect(escapeWord('--al-extents=6433')).toBe('--al-extents=6433');
  expect(escapeWord('')).toBe('');
});

test('every other byte gets a backslash', () => {
  expect(escapeWord('ipv6:[fe80::1%eth0]:7789')).toBe('ipv6:\\[fe80::1%eth0\\]:7789');
  expect(escapeWord('a b')).toBe('a\\ b');
  expect(escapeWord(Buffer.from('ä', 'utf8').toString('latin1'))).toBe('\\\u00c3\\\u00a4');
});

test('a word is cut at 1022 bytes', () => {
  expect(escapeWord('x'.repeat(3000))).toHaveLength(1022);
  expect(escapeWord(' '.repeat(3000))).toHaveLength(1022);
});
