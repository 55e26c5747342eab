const limit = 1022;
// % + - . / 0-9 : = @ A-Z _ a-z stay as they are (drbdadm.md section 8).
const plain = /^[%+\-./0-9:=@A-Z_a-z]*$/;
const isPlainCode = Uint8Array.from({ length: 256 }, (_, code) =>
  plain.test(String.fromCharCode(code)) ? 1 : 0,
);

/**
 * A word as the dry run prints it: every byte outside a safe set gets a backslash in front, cut at 1022 bytes.
 * Words are byte strings (one character per byte), as everywhere in drbdadm.
 */
export function escapeWord(word: string): string {
  if (word.length <= limit && plain.test(word)) return word;
  let text = '';
  for (const character of word) {
    const piece = plain.test(character) ? character : `\\${character}`;
    if (text.length + piece.length > limit) break;
    text += piece;
  }
  return text;
}

/** The words, a blank in front of each. */
export function escapeWords(words: readonly string[]): string {
  if (words.length === 0) return '';
  // Nearly always nothing has to be escaped.
  return words.every(isPlain) ? ` ${words.join(' ')}` : words.map((word) => ` ${escapeWord(word)}`).join('');
}

/** A regular expression takes three times as long once there are many words. */
function isPlain(word: string): boolean {
  if (word.length > limit) return false;
  for (let i = 0; i < word.length; i++) if (isPlainCode[word.charCodeAt(i)] !== 1) return false;
  return true;
}
