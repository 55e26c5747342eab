import { excerpt } from '../../src/language/excerpt';

const base = {
  id: 'syntax',
  severity: 'error',
  text: '',
  file: 'f',
  expected: [],
  suggestion: undefined,
} as const;

describe('the excerpt below a message', () => {
  test('shows the line, a caret, what was expected and the nearest word', () => {
    const text = 'resource r0 {\n\tadress x;\n}\n';
    const diagnostic = {
      ...base,
      line: 2,
      range: { start: 15, end: 21 },
      expected: ['address', 'disk'],
      suggestion: 'address',
    };
    expect(excerpt(diagnostic, text)).toBe(
      "  2 | \tadress x;\n    | \t^^^^^^\n  expected: address, disk\n  did you mean 'address'?\n",
    );
  });

  test('is empty when nothing more is known', () => {
    expect(excerpt({ ...base, line: 0, range: undefined }, 'x')).toBe('');
  });

  test('cuts long lines around the caret', () => {
    const text = `${'a'.repeat(300)} b ${'c'.repeat(300)}`;
    const [line = '', caret = ''] = excerpt(
      { ...base, line: 1, range: { start: 301, end: 302 } },
      text,
    ).split('\n');
    expect(line.length).toBeLessThan(110);
    expect(line[caret.indexOf('^')]).toBe('b');
  });
});
