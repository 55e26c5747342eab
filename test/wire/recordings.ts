/** The recorded kernel streams of fixtures/wire, as bytes per connection and direction. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as zlib from 'node:zlib';
import { agreeOnProtocol, BEFORE_FEATURES, type WireContext } from '../../src/wire/features';
import { PACKETS, type Stream } from '../../src/wire/packet-table';
import { PacketReader } from '../../src/wire/reader';

const ROOT = path.join(__dirname, '../../fixtures/wire');

export interface RecordedStream {
  /** "90/02-writes c4 a" */
  readonly label: string;
  readonly connection: number;
  readonly by: string;
  readonly stream: Stream;
  readonly pieces: readonly Uint8Array[];
  readonly bytes: Uint8Array;
  /** What both sides agreed on, if both said their features on this connection. */
  readonly agreed: WireContext;
}

export interface Recording {
  readonly name: string;
  readonly streams: readonly RecordedStream[];
  /** The independent decoder's lines of packets (not of events). */
  readonly listing: readonly string[];
}

interface DataEvent {
  readonly ev: string;
  readonly c: number;
  readonly by: string;
  readonly at: number;
  readonly len: number;
}

function gunzip(run: string, file: string): Buffer {
  return zlib.gunzipSync(fs.readFileSync(path.join(ROOT, run, file)));
}

export function recordingNames(): string[] {
  return ['84', '90'].flatMap((version) =>
    fs
      .readdirSync(path.join(ROOT, version))
      .sort()
      .map((name) => `${version}/${name}`),
  );
}

function piecesByStream(run: string): Map<string, Uint8Array[]> {
  const bin = gunzip(run, 'wire.bin.gz');
  const pieces = new Map<string, Uint8Array[]>();
  for (const line of gunzip(run, 'wire.jsonl.gz').toString().trim().split('\n')) {
    const event = JSON.parse(line) as DataEvent;
    if (event.ev !== 'data') continue;
    const key = `${event.c} ${event.by}`;
    const list = pieces.get(key) ?? [];
    list.push(new Uint8Array(bin.subarray(event.at, event.at + event.len)));
    pieces.set(key, list);
  }
  return pieces;
}

/** The offer in a stream's P_CONNECTION_FEATURES, if it has one. */
function offerIn(bytes: Uint8Array): { protocolMin: number; protocolMax: number; features: number } | null {
  const reader = new PacketReader('data');
  reader.push(bytes);
  for (let i = 0; i < 2 && reader.next() === 'packet'; i++) {
    if (reader.command !== PACKETS.P_CONNECTION_FEATURES.number) continue;
    const packet = reader.packet();
    if (packet.type === 'P_CONNECTION_FEATURES') return packet;
  }
  return null;
}

function agreement(both: readonly Uint8Array[]): WireContext {
  const [mine, peer] = both.map(offerIn);
  if (!mine || !peer) return BEFORE_FEATURES;
  const agreed = agreeOnProtocol(mine, peer);
  return agreed.agreed ? agreed : BEFORE_FEATURES;
}

/** Only the connecting side says which stream it is; the other side's bytes follow it. */
function kindOf(both: readonly Uint8Array[]): Stream {
  return both.some((bytes) => bytes[4] === 0xff && bytes[5] === 0xf1) ? 'control' : 'data';
}

export function loadRecording(name: string): Recording {
  const pieces = piecesByStream(name);
  const joined = new Map([...pieces].map(([key, list]) => [key, new Uint8Array(Buffer.concat(list))]));
  const streams = [...pieces].map(([key, list]): RecordedStream => {
    const [c = '', by = ''] = key.split(' ');
    const both = [...joined].filter(([other]) => other.startsWith(`${c} `)).map(([, bytes]) => bytes);
    return {
      label: `${name} c${key}`,
      connection: Number(c),
      by,
      stream: kindOf(both),
      pieces: list,
      bytes: joined.get(key) ?? new Uint8Array(0),
      agreed: agreement(both),
    };
  });
  const listing = gunzip(name, 'packets.txt.gz')
    .toString()
    .split('\n')
    .filter((line) => / P_[A-Z0-9_]+ len=/.test(line));
  return { name, streams, listing };
}
