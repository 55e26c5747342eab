/*
 * The grammar of a meta data dump (metadata.md 10.2), with the reference's error messages. The parser drives: it tells
 * a receiver what it has read, so that nothing large is ever held.
 */
import { DumpScanner, type Token } from './dump-tokens';
import { freshRecord, type Format, type MetaRecord } from './meta-record';
import { NODE_SLOTS } from './superblock-flags';

/** A dump that cannot be parsed; `message` is complete, with its newline. */
export class DumpSyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DumpSyntaxError';
  }
}

export interface DumpReceiver {
  /** The dump's version, before anything else; returns the format to parse. May throw. */
  version(name: string): Format;
  /** max-peers is known (1 for other formats than v09). */
  start(record: MetaRecord): void;
  /** Everything but the bitmaps. */
  header(record: MetaRecord): void;
  /** `count` times the 64-bit value, for bitmap slot `slot`. */
  run(slot: number, count: number, high: number, low: number): void;
  /** All bitmaps were read; what follows must be the end. */
  bitmapsRead(): void;
}

const EXPECTED: Readonly<Record<string, string>> = {
  ';': 'semicolon (;)',
  '{': 'opening brace ({)',
  '}': 'closing brace (})',
  '[': 'opening bracket ([)',
  ']': 'closing bracket (])',
  number: 'number ([0-9], up to 20 digits)',
  string: 'short quoted string ("..up to 20 characters, no newline..")',
  u32: 'an 8-digit hex number',
  u64: 'a 16-digit hex number',
  end: 'end of file',
  run: 'repeat count, 16-digit hex number, or closing brace (})',
};
const NAMED_KEYWORDS: ReadonlySet<string> = new Set([
  'version',
  'max-peers',
  'node-id',
  'current-uuid',
  'bitmap-uuid',
  'bitmap-dagtag',
  'peer',
  'gc',
  'bm',
  'bitmap',
  'uuid',
  'flags',
  'la-size-sect',
  'bm-byte-per-bit',
  'device-uuid',
  'times',
]);
const BAD_TOKEN: Readonly<Partial<Record<Token['kind'], string>>> = {
  'bad-string': 'invalid string',
  'bad-hex': 'invalid hex number (only 8 or 16 hex digits accepted)',
  'big-number': 'number too big',
  unknown: 'unknown token',
};

/** Parses a whole dump from pieces of text; throws DumpSyntaxError, or what the receiver throws. */
export function parseDump(pull: () => string | undefined, receiver: DumpReceiver): void {
  new DumpParser(pull, receiver).parse();
}

class DumpParser {
  private readonly scanner: DumpScanner;
  /** A token that was read to see what comes, and belongs to the next rule. */
  private pending: Token | undefined;

  constructor(
    pull: () => string | undefined,
    private readonly receiver: DumpReceiver,
  ) {
    this.scanner = new DumpScanner(pull);
  }

  parse(): void {
    this.keyword('version');
    const name = this.token('string').slice(1, -1);
    this.punctuation(';');
    const format = this.receiver.version(name);
    const maxPeers = format === 'v09' ? Number(this.numberAfter('max-peers')) : 1;
    const record = freshRecord(format, maxPeers);
    this.receiver.start(record);
    this.body(format, record);
    if (format !== 'v06') {
      const size = this.numberAfter('la-size-sect');
      record.storedSize = BigInt.asUintN(64, size);
      record.effectiveSize = Number(record.storedSize);
      if (format !== 'v07') this.geometry(record);
    }
    this.receiver.header(record);
    if (format !== 'v06') this.bitmaps(format, record);
    this.receiver.bitmapsRead();
    const rest = this.next();
    if (rest.kind !== 'end') this.fail(EXPECTED['end'] ?? '', rest);
  }

  private body(format: Format, record: MetaRecord): void {
    switch (format) {
      case 'v06':
      case 'v07':
        this.keyword('gc');
        this.punctuation('{');
        record.counters = [0, 1, 2, 3, 4].map(() => {
          const value = Number(BigInt.asUintN(32, BigInt(this.token('number'))));
          this.punctuation(';');
          return value;
        });
        this.punctuation('}');
        return;
      case 'v08':
        this.uuids08(record);
        return;
      case 'v09':
        this.uuids09(record);
    }
  }

  private uuids08(record: MetaRecord): void {
    this.keyword('uuid');
    this.punctuation('{');
    const [current = 0n, bitmap = 0n, younger = 0n, older = 0n] = [0, 1, 2, 3].map(() => this.u64());
    this.keyword('flags');
    record.flags = this.u32();
    this.punctuation('}');
    record.currentUuid = current;
    record.historyUuids.splice(0, 2, younger, older);
    const [peer] = record.peers;
    if (peer !== undefined) peer.bitmapUuid = bitmap;
  }

  private uuids09(record: MetaRecord): void {
    record.nodeId = toInt32(this.numberAfter('node-id'));
    this.keyword('current-uuid');
    record.currentUuid = this.u64();
    this.keyword('flags');
    record.flags = this.u32();
    const token = this.next();
    if (token.kind === 'keyword' && token.text === 'members') record.members = this.u64();
    else this.pending = token;
    const seen = new Set<number>();
    for (let i = 0; i < NODE_SLOTS; i++) this.peer(record, seen);
    this.keyword('history-uuids');
    this.punctuation('{');
    record.historyUuids = record.historyUuids.map(() => this.u64());
    this.punctuation('}');
  }

  private peer(record: MetaRecord, seen: Set<number>): void {
    this.keyword('peer');
    this.punctuation('[');
    const node = toInt32(BigInt(this.token('number')));
    const peer = record.peers[node];
    if (peer === undefined) return this.complain(`Slot ${node} out of range`);
    if (seen.has(node)) this.complain(`Peer slot ${node} defined multiple times`);
    seen.add(node);
    this.punctuation(']');
    this.punctuation('{');
    peer.bitmapIndex = toInt32(this.numberAfter('bitmap-index'));
    this.keyword('bitmap-uuid');
    peer.bitmapUuid = this.u64();
    this.keyword('bitmap-dagtag');
    peer.bitmapDagtag = this.u64();
    this.keyword('flags');
    peer.flags = this.u32();
    this.punctuation('}');
  }

  private geometry(record: MetaRecord): void {
    record.bmBytesPerBit = toUint32(this.numberAfter('bm-byte-per-bit'));
    this.keyword('device-uuid');
    record.deviceUuid = this.u64();
    record.laPeerMaxBioSize = toUint32(this.numberAfter('la-peer-max-bio-size'));
    record.alStripes = toUint32(this.numberAfter('al-stripes'));
    record.alStripeSize4k = toUint32(this.numberAfter('al-stripe-size-4k'));
  }

  private bitmaps(format: Format, record: MetaRecord): void {
    for (let slot = 0; slot < record.bmMaxPeers; slot++) {
      if (format === 'v09') {
        this.keyword('bitmap');
        this.punctuation('[');
        const found = toInt32(BigInt(this.token('number')));
        if (found !== slot) this.complain(`Expected peer slot ${slot} but found ${found}`);
        this.punctuation(']');
      } else {
        this.keyword('bm');
      }
      this.punctuation('{');
      this.runs(slot);
    }
  }

  /** Up to and including the closing brace. */
  private runs(slot: number): void {
    for (;;) {
      for (let run = this.scanner.nextRun(); run !== undefined; run = this.scanner.nextRun())
        this.receiver.run(slot, run.count, run.high, run.low);
      const token = this.next();
      if (token.kind === 'punctuation' && token.text === '}') return;
      let count = 1;
      let value = token;
      if (token.kind === 'number') {
        count = Math.max(Number(token.text), 0);
        this.keyword('times');
        value = this.next();
        if (value.kind !== 'u64') this.fail(EXPECTED['u64'] ?? '', value);
      } else if (token.kind !== 'u64') {
        this.fail(EXPECTED['run'] ?? '', token);
      }
      this.punctuation(';');
      const digits = value.text.slice(2);
      this.receiver.run(slot, count, parseInt(digits.slice(0, 8), 16), parseInt(digits.slice(8), 16));
    }
  }

  private next(): Token {
    const token = this.pending ?? this.scanner.next();
    this.pending = undefined;
    return token;
  }

  private keyword(name: string): void {
    const token = this.next();
    if (token.kind === 'keyword' && token.text === name) return;
    this.fail(NAMED_KEYWORDS.has(name) ? `keyword '${name}'` : '', token);
  }

  private punctuation(character: string): void {
    const token = this.next();
    if (token.kind !== 'punctuation' || token.text !== character) this.fail(EXPECTED[character] ?? '', token);
  }

  private token(kind: 'number' | 'string' | 'u32' | 'u64'): string {
    const token = this.next();
    if (token.kind !== kind) this.fail(EXPECTED[kind] ?? '', token);
    return token.text;
  }

  private numberAfter(name: string): bigint {
    this.keyword(name);
    const value = BigInt(this.token('number'));
    this.punctuation(';');
    return value;
  }

  private u64(): bigint {
    const value = BigInt(this.token('u64'));
    this.punctuation(';');
    return value;
  }

  private u32(): number {
    const value = Number(this.token('u32'));
    this.punctuation(';');
    return value;
  }

  private complain(text: string): never {
    throw new DumpSyntaxError(`Parse error in line ${this.scanner.line}: ${text}\n`);
  }

  private fail(expected: string, token: Token): never {
    const { line } = this.scanner;
    const bad = BAD_TOKEN[token.kind];
    const before = bad === undefined ? '' : `line ${line}: ${bad}: ${token.text} ...\n`;
    const what = expected === '' ? ' invalid/unexpected token!:' : `${expected} expected`;
    throw new DumpSyntaxError(`${before}Parse error in line ${line}: ${what}${tail(token)}\n`);
  }
}

function tail(token: Token): string {
  switch (token.kind) {
    case 'end':
      return ', but end of file encountered';
    case 'character':
      return `; got invalid input character '\\x${token.text.charCodeAt(0).toString(16).padStart(2, '0')}' [${token.text}]`;
    case 'punctuation':
    case 'keyword':
    case 'string':
      return `, not '${token.text}'`;
    case 'number':
    case 'u32':
    case 'u64':
      return ', not some number';
    case 'bad-string':
    case 'bad-hex':
    case 'big-number':
    case 'unknown':
      return '';
  }
}

function toInt32(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}
function toUint32(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}
