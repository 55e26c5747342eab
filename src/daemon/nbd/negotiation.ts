/**
 * The option haggling of a connection, without sockets: bytes in, bytes and a decision out. Malformed options get
 * their error reply; what cannot be answered ends the connection.
 */
import { type ByteReader } from './byte-reader';
import {
  BASE_ALLOCATION,
  BASE_ALLOCATION_ID,
  HandshakeFlag,
  Info,
  MAX_NAME,
  MAX_OPTION,
  MAX_PAYLOAD,
  NBD_MAGIC,
  Option,
  OPTION_MAGIC,
  OPTION_REPLY_MAGIC,
  OptionReply,
  TransmissionFlag,
} from './protocol';

/** An export as clients are told. */
export interface ExportFacts {
  /** Bytes. */
  readonly size: number;
  /** Smallest request in bytes. */
  readonly blockSize: number;
  /** Transmission flags; `SEND_DF` is added when structured replies were agreed. */
  readonly flags: number;
}
export interface ExportDirectory {
  /** Names that LIST shows. */
  names(): readonly string[];
  find(name: string): ExportFacts | undefined;
}
/** What was agreed on. */
export interface Agreement {
  readonly structured: boolean;
  readonly extended: boolean;
  /** The client may ask for block status of this export. */
  readonly allocation: boolean;
}
export interface NegotiationEvents {
  send(bytes: Uint8Array): void;
  /**
   * The client wants to use the export. `accept` answers and begins transmission; `refuse` ends the attempt with a
   * reason for people (after GO the client may try something else).
   */
  onChosen(name: string, agreement: Agreement, accept: () => void, refuse: (reason: string) => void): void;
  /** End the connection. */
  onEnd(): void;
}

const text = (value: string): Uint8Array => Buffer.from(value, 'utf8');

function numbers(...fields: readonly (readonly [value: number | bigint, bytes: 2 | 4 | 8])[]): Uint8Array {
  const out = Buffer.alloc(fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [value, bytes] of fields) {
    if (bytes === 8) out.writeBigUInt64BE(BigInt(value), at);
    else out.writeUIntBE(Number(value), at, bytes);
    at += bytes;
  }
  return out;
}

/** Reads the fields of an option; `failed` once something did not fit. */
class OptionFields {
  failed = false;
  private at = 0;
  constructor(private readonly data: Buffer) {}

  number(bytes: 2 | 4): number {
    if (this.at + bytes > this.data.length) {
      this.failed = true;
      return 0;
    }
    this.at += bytes;
    return this.data.readUIntBE(this.at - bytes, bytes);
  }
  string(): string {
    const length = this.number(4);
    if (this.failed || length > MAX_NAME || this.at + length > this.data.length) {
      this.failed = true;
      return '';
    }
    this.at += length;
    return this.data.toString('utf8', this.at - length, this.at);
  }
  get atEnd(): boolean {
    return !this.failed && this.at === this.data.length;
  }
}

export class Negotiation {
  private state: 'flags' | 'options' | 'waiting' | 'over' = 'flags';
  private noZeroes = false;
  private structured = false;
  private extended = false;
  /** The export for which base:allocation was agreed. */
  private allocationOf: string | undefined;

  constructor(
    private readonly exports: ExportDirectory,
    private readonly events: NegotiationEvents,
  ) {}

  /** The server speaks first. */
  start(): void {
    const flags = HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES;
    this.events.send(numbers([NBD_MAGIC, 8], [OPTION_MAGIC, 8], [flags, 2]));
  }

  /** Reads what is there, until transmission begins or the connection ends. */
  advance(reader: ByteReader): void {
    while (this.step(reader));
  }
  private step(reader: ByteReader): boolean {
    switch (this.state) {
      case 'flags':
        return this.clientFlags(reader);
      case 'options':
        return this.option(reader);
      case 'waiting':
      case 'over':
        return false;
    }
  }
  private end(): false {
    this.state = 'over';
    this.events.onEnd();
    return false;
  }

  private clientFlags(reader: ByteReader): boolean {
    const bytes = reader.take(4);
    if (bytes === undefined) return false;
    const flags = Buffer.from(bytes).readUInt32BE();
    const known = HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES;
    if ((flags & ~known) !== 0) return this.end();
    this.noZeroes = (flags & HandshakeFlag.NO_ZEROES) !== 0;
    this.state = 'options';
    return true;
  }
  private option(reader: ByteReader): boolean {
    const header = reader.peek(16);
    if (header === undefined) return false;
    const view = Buffer.from(header.buffer, header.byteOffset, header.length);
    const length = view.readUInt32BE(12);
    const option = view.readUInt32BE(8);
    if (view.readBigUInt64BE(0) !== OPTION_MAGIC || length > MAX_OPTION) return this.end();
    if (reader.available < 16 + length) return false;
    reader.skip(16);
    const data = reader.take(length);
    if (data === undefined) return this.end();
    this.handle(option, Buffer.from(data));
    return true;
  }

  private reply(option: number, type: number, data: Uint8Array = new Uint8Array(0)): void {
    this.events.send(numbers([OPTION_REPLY_MAGIC, 8], [option, 4], [type, 4], [data.length, 4]));
    if (data.length > 0) this.events.send(data);
  }
  private refuse(option: number, type: number, reason: string): void {
    this.reply(option, type, text(reason));
  }

  private handle(option: number, data: Buffer): void {
    switch (option) {
      case Option.EXPORT_NAME:
        this.exportName(data.toString('utf8'));
        break;
      case Option.ABORT:
        this.reply(option, OptionReply.ACK);
        this.end();
        break;
      case Option.LIST:
        this.list(data);
        break;
      case Option.INFO:
      case Option.GO:
        this.infoOrGo(option, data);
        break;
      case Option.STRUCTURED_REPLY:
        if (data.length > 0) this.refuse(option, OptionReply.ERR_INVALID, 'no data expected');
        else if (this.extended) this.refuse(option, OptionReply.ERR_INVALID, 'extended headers are in use');
        else {
          this.structured = true;
          this.reply(option, OptionReply.ACK);
        }
        break;
      case Option.EXTENDED_HEADERS:
        if (data.length > 0) this.refuse(option, OptionReply.ERR_INVALID, 'no data expected');
        else {
          this.structured = true;
          this.extended = true;
          this.reply(option, OptionReply.ACK);
        }
        break;
      case Option.LIST_META_CONTEXT:
      case Option.SET_META_CONTEXT:
        this.metaContext(option, data);
        break;
      case Option.STARTTLS:
        this.refuse(option, OptionReply.ERR_UNSUP, 'no TLS: use a unix socket or a tunnel');
        break;
      default:
        this.refuse(option, OptionReply.ERR_UNSUP, 'unknown option');
        break;
    }
  }

  private list(data: Buffer): void {
    if (data.length > 0) {
      this.refuse(Option.LIST, OptionReply.ERR_INVALID, 'no data expected');
      return;
    }
    for (const name of this.exports.names()) {
      const bytes = text(name);
      this.reply(Option.LIST, OptionReply.SERVER, Buffer.concat([numbers([bytes.length, 4]), bytes]));
    }
    this.reply(Option.LIST, OptionReply.ACK);
  }

  private metaContext(option: number, data: Buffer): void {
    if (option === Option.SET_META_CONTEXT) this.allocationOf = undefined;
    if (!this.structured) {
      this.refuse(option, OptionReply.ERR_INVALID, 'structured replies first');
      return;
    }
    const fields = new OptionFields(data);
    const name = fields.string();
    const count = fields.number(4);
    const queries: string[] = [];
    // Every query takes four bytes at least: a large count cannot make a long loop.
    for (let i = 0; i < count && !fields.failed; i++) queries.push(fields.string());
    if (!fields.atEnd) {
      this.refuse(option, OptionReply.ERR_INVALID, 'malformed query');
      return;
    }
    if (this.exports.find(name) === undefined) {
      this.refuse(option, OptionReply.ERR_UNKNOWN, 'no such export');
      return;
    }
    const setting = option === Option.SET_META_CONTEXT;
    const wanted =
      queries.includes(BASE_ALLOCATION) || (!setting && (count === 0 || queries.includes('base:')));
    if (wanted) {
      const id = setting ? BASE_ALLOCATION_ID : 0;
      if (setting) this.allocationOf = name;
      this.reply(option, OptionReply.META_CONTEXT, Buffer.concat([numbers([id, 4]), text(BASE_ALLOCATION)]));
    }
    this.reply(option, OptionReply.ACK);
  }

  private agreement(name: string): Agreement {
    const { structured, extended } = this;
    return { structured, extended, allocation: this.allocationOf === name };
  }

  /** Without structured replies there is nothing that must not be fragmented. */
  private flagsOf(facts: ExportFacts): number {
    return this.structured ? facts.flags | TransmissionFlag.SEND_DF : facts.flags;
  }

  private exportName(name: string): void {
    const facts = Buffer.byteLength(name) > MAX_NAME ? undefined : this.exports.find(name);
    if (facts === undefined) {
      this.end();
      return;
    }
    this.state = 'waiting';
    const accept = (): void => {
      this.state = 'over';
      const now = this.exports.find(name) ?? facts;
      this.events.send(numbers([now.size, 8], [this.flagsOf(now), 2]));
      if (!this.noZeroes) this.events.send(new Uint8Array(124));
    };
    // This option knows no error reply.
    this.events.onChosen(name, this.agreement(name), accept, () => void this.end());
  }

  private infoOrGo(option: number, data: Buffer): void {
    const fields = new OptionFields(data);
    const name = fields.string();
    const count = fields.number(2);
    const wanted: number[] = [];
    for (let i = 0; i < count && !fields.failed; i++) wanted.push(fields.number(2));
    if (!fields.atEnd) {
      this.refuse(option, OptionReply.ERR_INVALID, 'malformed request');
      return;
    }
    if (this.exports.find(name) === undefined) {
      this.refuse(option, OptionReply.ERR_UNKNOWN, 'no such export');
      return;
    }
    if (option === Option.INFO) {
      this.describe(option, name, wanted);
      this.reply(option, OptionReply.ACK);
      return;
    }
    this.state = 'waiting';
    const accept = (): void => {
      this.state = 'over';
      this.describe(option, name, wanted);
      this.reply(option, OptionReply.ACK);
    };
    const refuse = (reason: string): void => {
      if (this.state !== 'waiting') return;
      this.state = 'options';
      this.refuse(option, OptionReply.ERR_POLICY, reason);
    };
    this.events.onChosen(name, this.agreement(name), accept, refuse);
  }
  private describe(option: number, name: string, wanted: readonly number[]): void {
    const facts = this.exports.find(name);
    if (facts === undefined) return;
    const info = (type: number, ...data: Uint8Array[]): void =>
      this.reply(option, OptionReply.INFO, Buffer.concat([numbers([type, 2]), ...data]));
    info(Info.EXPORT, numbers([facts.size, 8], [this.flagsOf(facts), 2]));
    if (wanted.includes(Info.NAME)) info(Info.NAME, text(name));
    const preferred = Math.max(4096, facts.blockSize);
    info(Info.BLOCK_SIZE, numbers([facts.blockSize, 4], [preferred, 4], [MAX_PAYLOAD, 4]));
  }
}
