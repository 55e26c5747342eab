const limit = 1022;
// % + - . / 0-9 : = @ A-Z _ a-z stay as they are (drbdadm.md section 8).
const plain = /^[%+\-./0-9:=@A-Z_a-z]*$/;

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
  // Nearly always nothing has to be escaped, and one look at all words is enough.
  const all = words.join('');
  if (words.length > 0 && all.length <= limit && plain.test(all)) return ` ${words.join(' ')}`;
  return words.map((word) => ` ${escapeWord(word)}`).join('');
}
