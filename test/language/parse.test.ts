import { ConfigGrammar } from '../../src/language/grammar';
import { parseText } from '../../src/language/parse';
import { scan } from '../../src/language/scanner';
import { textOf, tokenNumber } from '../../src/language/tokens';

const kinds = (text: string): string[] =>
  scan(text).tokens.map((token) => `${token.image} ${token.tokenType.name}`);

describe('the scanner', () => {
  test('gives words their type by their whole text', () => {
    expect(kinds('on 12 12345678 123456789 10k 10K 5s 1.2.3 10.0.0.1 10.0.0.1x 1.2.3.4.5')).toEqual([
      "on 'on'",
      '12 INTEGER',
      '12345678 INTEGER',
      '123456789 STRING',
      '10k STRING',
      '10K INTEGER',
      '5s INTEGER',
      '1.2.3 KMODVERS',
      '10.0.0.1 IPADDR',
      '10.0.0.1x STRING',
      '1.2.3.4.5 STRING',
    ]);
  });

  test('takes IPv6 addresses before words and colons', () => {
    expect(kinds('[fe80::1%eth0]:7789 ::ffff:10.0.0.1 a:b:c :: ::1')).toEqual([
      '[ [',
      'fe80::1%eth0 IPADDR6',
      '] ]',
      ': :',
      '7789 INTEGER',
      '::ffff:10.0.0.1 IPADDR6',
      'a:b:c IPADDR6',
      ':: IPADDR6',
      '::1 IPADDR6',
    ]);
  });

  test('quoted text is always a STRING, without its backslashes', () => {
    const [first, second] = scan('"on" "a\\"b\\n"').tokens;
    expect(first && [textOf(first), tokenNumber(first)]).toEqual(['on', 281]);
    expect(second && textOf(second)).toBe('a"bn');
  });

  test('marks words and quoted texts that are too long or have no end', () => {
    expect(kinds('a'.repeat(130)).map((kind) => kind.replace(/a+/, 'a*'))).toEqual([
      'a* word longer than 128 characters',
      'a* STRING',
    ]);
    expect(kinds(`"${'b'.repeat(256)}"`)[0]).toMatch(/quoted text longer than 255 characters$/);
    expect(kinds('"abc\nd')).toEqual(['"abc\n unterminated quoted text', 'd STRING']);
    expect(kinds('"abc')).toEqual(['" ELSE', 'abc STRING']);
  });

  test('counts lines, keeps comments when asked', () => {
    const { tokens, comments, lastLine } = scan('a # one\n\n# two\nb', true);
    expect(tokens.map((token) => token.startLine)).toEqual([1, 4]);
    expect(comments.map(({ image, line }) => `${line} ${image}`)).toEqual(['1 # one', '3 # two']);
    expect(lastLine).toBe(4);
  });
});

describe('the parser', () => {
  test('has a grammar that chevrotain accepts with all validations on', () => {
    expect(() => new ConfigGrammar({ validate: true })).not.toThrow();
  });

  test('goes on behind a broken statement and reports every error at its place', () => {
    const { tree } = parseText(
      'resource r0 { on a { adress 1; node-id 0; }\n disk }\n;\nresource r1 { bla { x; } net { } }',
    );
    const [r0, stray, r1] = tree.items;
    expect(tree.items.map((item) => item.kind)).toEqual(['resource', 'error', 'resource']);
    expect(r0?.kind === 'resource' && r0.items.map((item) => item.kind)).toEqual(['host', 'error']);
    expect(stray?.kind === 'error' && stray.line).toBe(3);
    expect(r1?.kind === 'resource' && r1.items.map((item) => item.kind)).toEqual(['error', 'options']);
  });

  test('skip swallows anything until its braces balance', () => {
    const { tree } = parseText('skip resource "foo { ]; { } x } resource r { }');
    expect(tree.items.map((item) => item.kind)).toEqual(['skip', 'resource']);
  });
});
