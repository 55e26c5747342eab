/*
 * A JSON dump (dump-md --json) as dump text, so that restore-md has one grammar and one set of checks.
 */
import { JsonScanner, JsonSyntaxError } from './json-scanner';

/** Text stays as it is; a dump that begins with `{` is translated piece by piece. Errors go to `fail`. */
export function jsonDumpAsText(
  pull: () => string | undefined,
  fail: (message: string) => never,
): () => string | undefined {
  const first = pull();
  let waiting = first;
  const again = () => {
    const piece = waiting ?? pull();
    waiting = undefined;
    return piece;
  };
  if (first === undefined || !/^\s*\{/.test(first)) return again;
  const pieces = translate(new JsonScanner(again));
  return () => {
    try {
      const next = pieces.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      if (error instanceof JsonSyntaxError) return fail(error.message);
      throw error;
    }
  };
}

type Header = ReadonlyMap<string, unknown>;

function* translate(scanner: JsonScanner): Generator<string, void> {
  const header = new Map<string, unknown>();
  let done = false;
  scanner.expect('{');
  do {
    const key = scanner.string();
    scanner.expect(':');
    if (key === 'bitmaps') {
      done = true;
      yield headerText(header, scanner);
      yield* bitmapText(header, scanner);
    } else if (key === '#meta') {
      scanner.value();
    } else {
      if (done) scanner.fail('no member after "bitmaps"');
      if (header.size >= 64) scanner.fail('fewer members');
      header.set(key, scanner.value());
    }
  } while (scanner.accept(','));
  scanner.expect('}');
  if (!done) scanner.fail('"bitmaps"');
  if (scanner.peek() !== '') scanner.fail('the end');
}

/** A member of the header as it stands in dump text: numbers and hexadecimal strings only. */
function word(header: Header, key: string, scanner: JsonScanner): string {
  return plain(header.get(key), key, scanner);
}

function plain(value: unknown, key: string, scanner: JsonScanner): string {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && /^0x[0-9A-Fa-f]+$/.test(value)) return value;
  return scanner.fail(`"${key}": a number or hexadecimal string`);
}

function list(header: Header, key: string, length: number, scanner: JsonScanner): readonly unknown[] {
  const value = header.get(key);
  if (!Array.isArray(value) || value.length !== length) return scanner.fail(`"${key}": a list of ${length}`);
  return value;
}

function headerText(header: Header, scanner: JsonScanner): string {
  const version = header.get('version');
  if (typeof version !== 'string' || !/^v0[6-9]$/.test(version)) return scanner.fail('"version"');
  if (header.get('unclean') === true) scanner.fail('clean meta data ("apply-al" first, then dump again)');
  const lines = [`version "${version}";`];
  const take = (key: string) => lines.push(`${key} ${word(header, key, scanner)};`);
  const words = (key: string, length: number) =>
    list(header, key, length, scanner)
      .map((value) => `${plain(value, key, scanner)};`)
      .join(' ');
  if (version === 'v06' || version === 'v07') lines.push(`gc { ${words('gc', 5)} }`);
  if (version === 'v08') lines.push(`uuid { ${words('uuids', 4)} flags ${word(header, 'flags', scanner)}; }`);
  if (version === 'v09') {
    ['max-peers', 'node-id', 'current-uuid', 'flags', 'members'].forEach(take);
    list(header, 'peers', 32, scanner).forEach((peer, node) => lines.push(peerText(peer, node, scanner)));
    lines.push(`history-uuids { ${words('history-uuids', 32)} }`);
  }
  if (version !== 'v06') take('la-size-sect');
  if (version === 'v08' || version === 'v09')
    ['bm-byte-per-bit', 'device-uuid', 'la-peer-max-bio-size', 'al-stripes', 'al-stripe-size-4k'].forEach(
      take,
    );
  return `${lines.join('\n')}\n`;
}

function peerText(peer: unknown, node: number, scanner: JsonScanner): string {
  if (typeof peer !== 'object' || peer === null) return scanner.fail('a peer');
  const members = new Map<string, unknown>(Object.entries(peer));
  const keys = ['bitmap-index', 'bitmap-uuid', 'bitmap-dagtag', 'flags'];
  return `peer[${node}] { ${keys.map((key) => `${key} ${word(members, key, scanner)};`).join(' ')} }`;
}

function* bitmapText(header: Header, scanner: JsonScanner): Generator<string, void> {
  const named = header.get('version') === 'v09';
  scanner.expect('[');
  if (scanner.accept(']')) return;
  let slot = 0;
  do {
    yield named ? `bitmap[${slot++}] {\n` : 'bm {\n';
    yield* runsText(scanner);
    yield '}\n';
  } while (scanner.accept(','));
  scanner.expect(']');
}

const RUNS_A_PIECE = 1000;

function* runsText(scanner: JsonScanner): Generator<string, void> {
  scanner.expect('[');
  if (scanner.accept(']')) return;
  let piece: string[] = [];
  do {
    scanner.expect('[');
    const count = plain(scanner.scalar(), 'bitmaps', scanner);
    scanner.expect(',');
    const value = plain(scanner.scalar(), 'bitmaps', scanner);
    scanner.expect(']');
    piece.push(` ${count} times ${value};\n`);
    if (piece.length >= RUNS_A_PIECE) {
      yield piece.join('');
      piece = [];
    }
  } while (scanner.accept(','));
  scanner.expect(']');
  yield piece.join('');
}
