/*
 * A small pulling reader of JSON: values of any member are built, except where the caller walks an array itself. Dumps
 * can be larger than memory, JSON.parse() needs them whole.
 */
const LOOKAHEAD = 256;
const SCALAR = /-?[0-9.eE+]+|true|false|null/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
/** Deeper than any dump; keeps the recursion bounded. */
const MAX_DEPTH = 16;

export class JsonSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonSyntaxError';
  }
}

export class JsonScanner {
  private buffer = '';
  private at = 0;
  private line = 1;
  private drained = false;

  constructor(private readonly pull: () => string | undefined) {}

  private fill(): void {
    while (!this.drained && this.buffer.length - this.at < LOOKAHEAD) {
      const piece = this.pull();
      if (piece === undefined) this.drained = true;
      else {
        this.buffer = this.buffer.slice(this.at) + piece;
        this.at = 0;
      }
    }
  }

  /** The next character that is no white space, '' at the end. */
  peek(): string {
    for (;;) {
      if (this.buffer.length - this.at < LOOKAHEAD) this.fill();
      const character = this.buffer[this.at] ?? '';
      if (character === '\n') this.line++;
      else if (character !== ' ' && character !== '\t' && character !== '\r') return character;
      this.at++;
    }
  }

  fail(expected: string): never {
    throw new JsonSyntaxError(`JSON dump, line ${this.line}: ${expected} expected\n`);
  }

  expect(character: string): void {
    if (this.peek() !== character) this.fail(`'${character}'`);
    this.at++;
  }

  /** Consumes the character if it is the next one. */
  accept(character: string): boolean {
    if (this.peek() !== character) return false;
    this.at++;
    return true;
  }

  string(): string {
    this.peek();
    STRING.lastIndex = this.at;
    const match = STRING.exec(this.buffer);
    if (match === null) return this.fail('a string');
    this.at = STRING.lastIndex;
    const value = this.parsed(match[0]);
    return typeof value === 'string' ? value : this.fail('a string');
  }

  scalar(): unknown {
    if (this.peek() === '"') return this.string();
    SCALAR.lastIndex = this.at;
    const match = SCALAR.exec(this.buffer);
    if (match === null) return this.fail('a value');
    this.at = SCALAR.lastIndex;
    return this.parsed(match[0]);
  }

  private parsed(text: string): unknown {
    try {
      const value: unknown = JSON.parse(text);
      return value;
    } catch {
      return this.fail('a value');
    }
  }

  value(depth = 0): unknown {
    if (depth > MAX_DEPTH) this.fail('less nesting');
    const next = this.peek();
    if (next === '[') {
      const list: unknown[] = [];
      this.elements(() => {
        if (list.length >= 64) this.fail('a shorter list');
        list.push(this.value(depth + 1));
      });
      return list;
    }
    if (next !== '{') return this.scalar();
    const members = new Map<string, unknown>();
    this.members((key) => {
      if (members.size >= 64) this.fail('fewer members');
      members.set(key, this.value(depth + 1));
    });
    return Object.fromEntries(members);
  }

  /** Walks an array; `element` must consume one value. */
  elements(element: () => void): void {
    this.expect('[');
    if (this.accept(']')) return;
    do element();
    while (this.accept(','));
    this.expect(']');
  }

  /** Walks an object; `member` must consume the value. */
  members(member: (key: string) => void): void {
    this.expect('{');
    if (this.accept('}')) return;
    do {
      const key = this.string();
      this.expect(':');
      member(key);
    } while (this.accept(','));
    this.expect('}');
  }
}
