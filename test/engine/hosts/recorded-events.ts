/** What happened in a recorded run, in the order of the relay: commands, packets, and the life of the streams. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { agreeOnProtocol, BEFORE_FEATURES, type ProtocolOffer } from '../../../src/wire/features';
import { type Stream } from '../../../src/wire/packet-table';
import { type Packet } from '../../../src/wire/packets';
import { PacketReader } from '../../../src/wire/reader';

export type Mishap =
  | {
      readonly kind: 'changed-bytes';
      readonly disk: number;
      readonly offset: number;
      readonly length: number;
    }
  /** No packet comes or goes. */
  | { readonly kind: 'cut-off' }
  | { readonly kind: 'reachable' }
  | { readonly kind: 'power-failure' }
  | { readonly kind: 'booted' };

export type RecordedEvent =
  | { readonly kind: 'command'; readonly t: number; readonly node: string; readonly text: string }
  /** Something happened to a node that no program of its own did. */
  | { readonly kind: 'mishap'; readonly t: number; readonly node: string; readonly what: Mishap }
  /** Features are about to cross between the two: both streams exist. */
  | { readonly kind: 'session'; readonly t: number; readonly nodes: readonly [string, string] }
  | {
      readonly kind: 'packet';
      readonly t: number;
      readonly by: string;
      readonly to: string;
      readonly stream: Stream;
      readonly packet: Packet;
    }
  /** `by` closed or reset a stream of the session. */
  | {
      readonly kind: 'end';
      readonly t: number;
      readonly by: string;
      readonly to: string;
      readonly stream: Stream;
      readonly reset: boolean;
    };

const FATES: Readonly<Record<string, Exclude<Mishap['kind'], 'changed-bytes'>>> = {
  'power failure': 'power-failure',
  'booted again': 'booted',
  'network link down': 'cut-off',
  'network link up': 'reachable',
};

interface Line {
  readonly t: number;
  readonly ev: string;
  readonly c: number;
  readonly by: string;
  readonly from: string;
  readonly to: string;
  readonly at: number;
  readonly len: number;
  readonly text: string;
}
interface Direction {
  readonly reader: PacketReader;
  offer: ProtocolOffer | undefined;
}
/** One TCP connection. */
class Wire {
  stream: Stream = 'data';
  began = false;
  closed = false;
  readonly directions = new Map<string, Direction>();
  constructor(
    readonly from: string,
    readonly to: string,
  ) {}
  other(node: string): string {
    return node === this.from ? this.to : this.from;
  }
  direction(node: string): Direction {
    let found = this.directions.get(node);
    if (found === undefined) {
      found = { reader: new PacketReader(this.stream), offer: undefined };
      this.directions.set(node, found);
    }
    return found;
  }
  joins(other: Wire): boolean {
    return [this.from, this.to].sort().join() === [other.from, other.to].sort().join();
  }
}

/** `run` as in `01`. */
export function recordedEvents(run: string): RecordedEvent[] {
  const directory = join(__dirname, '../../../fixtures/wire/90', run);
  const bytes = gunzipSync(readFileSync(join(directory, 'wire.bin.gz')));
  const lines = gunzipSync(readFileSync(join(directory, 'wire.jsonl.gz')))
    .toString()
    .trim()
    .split('\n');
  const events = new Events(bytes);
  for (const line of lines) {
    const parsed: Line = JSON.parse(line);
    events.take(parsed);
  }
  return events.found;
}

class Events {
  readonly found: RecordedEvent[] = [];
  private readonly wires = new Map<number, Wire>();
  constructor(private readonly bytes: Uint8Array) {}

  take(line: Line): void {
    if (line.ev === 'mark') this.mark(line);
    else if (line.ev === 'open') this.wires.set(line.c, new Wire(line.from, line.to));
    const wire = this.wires.get(line.c);
    if (wire === undefined) return;
    if (line.ev === 'data') this.data(wire, line);
    else if (line.ev === 'fin' || line.ev === 'reset') this.end(wire, line);
    else if (line.ev === 'close') wire.closed = true;
  }
  private mark({ t, text }: Line): void {
    const command = /^step \d+ on (\w): (.*)$/s.exec(text);
    if (command?.[1] !== undefined && command[2] !== undefined)
      this.found.push({ kind: 'command', t, node: command[1], text: command[2].trim() });
    const change = /^changed (\d+) bytes at (\d+) of disk (\d) of (\w) /.exec(text);
    if (change?.[4] !== undefined) {
      const [length = 0, offset = 0, disk = 0] = change.slice(1, 4).map(Number);
      this.mishap(t, change[4], { kind: 'changed-bytes', disk, offset, length });
    }
    const fate = /^(\w): (.*)$/.exec(text);
    const kind = FATES[fate?.[2] ?? ''];
    if (fate?.[1] !== undefined && kind !== undefined) this.mishap(t, fate[1], { kind });
  }
  private mishap(t: number, node: string, what: Mishap): void {
    this.found.push({ kind: 'mishap', t, node, what });
  }
  private data(wire: Wire, { by, at, len, t }: Line): void {
    const piece = new Uint8Array(this.bytes.subarray(at, at + len));
    // The first packet of the one who connected says which stream it is; nothing comes before it.
    if (wire.directions.size === 0 && by === wire.from)
      wire.stream = piece[4] === 0xff && piece[5] === 0xf1 ? 'control' : 'data';
    const { reader } = wire.direction(by);
    reader.push(piece);
    while (reader.next() === 'packet') this.packet(wire, by, reader.packet(), t);
    if (reader.fault !== null) throw new Error(`${by} at ${t}: ${JSON.stringify(reader.fault)}`);
  }
  private packet(wire: Wire, by: string, packet: ReturnType<PacketReader['packet']>, t: number): void {
    if (packet.type === 'fault') throw new Error(`${by} at ${t}: ${JSON.stringify(packet)}`);
    if (packet.type === 'P_INITIAL_DATA' || packet.type === 'P_INITIAL_META') return;
    const to = wire.other(by);
    if (!wire.began && wire.stream === 'data') {
      this.found.push({ kind: 'session', t, nodes: [by, to] });
      for (const one of this.live(wire)) one.began = true;
    }
    this.found.push({ kind: 'packet', t, by, to, stream: wire.stream, packet });
    if (packet.type !== 'P_CONNECTION_FEATURES') return;
    wire.direction(by).offer = packet;
    this.agree(wire);
  }
  private live(wire: Wire): Wire[] {
    return [...this.wires.values()].filter((one) => !one.closed && one.joins(wire));
  }
  private agree(wire: Wire): void {
    const [one, two] = [wire.from, wire.to].map((node) => wire.direction(node).offer);
    if (one === undefined || two === undefined) return;
    const agreed = agreeOnProtocol(one, two);
    for (const live of this.live(wire))
      for (const node of [live.from, live.to])
        live.direction(node).reader.setContext(agreed.agreed ? agreed : BEFORE_FEATURES);
  }
  private end(wire: Wire, { by, t, ev }: Line): void {
    if (!wire.began) return;
    this.found.push({ kind: 'end', t, by, to: wire.other(by), stream: wire.stream, reset: ev === 'reset' });
  }
}
