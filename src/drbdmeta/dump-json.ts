/*
 * dump-md --json: the dump as JSON, bitmaps as runs `[COUNT, "0xVALUE"]` of 64-bit values, slot after slot. `bitmaps` is
 * the last member but for "#meta", so that restore-md can read it as a stream.
 */
import { bitmapBytes } from '../metadata/layout';
import { type SlotSegment } from '../metadata/dump-bitmap';
import { hex32, hex64, type DumpWriter } from '../metadata/dump-writer';
import { type MetaRecord } from '../metadata/meta-record';
import { SlotReader } from './slot-reader';
import { type MetaData } from './open-meta-data';
import { SegmentStore } from './segment-store';
import { type Tool } from './tool';

export async function dumpJson(
  tool: Tool,
  md: MetaData,
  writer: DumpWriter,
  unclean: boolean,
): Promise<void> {
  const members = headerMembers(tool, md.record, unclean);
  const lines = Object.entries(members).map(([key, value]) => `  ${JSON.stringify(key)}: ${text(value)},\n`);
  writer.text(`{\n${lines.join('')}  "bitmaps": [`);
  await dumpRuns(tool, md, writer);
  writer.text('\n  ]\n}\n');
}

/** Peers on a line each, other lists on one line. */
function text(value: unknown): string {
  if (Array.isArray(value) && typeof value[0] === 'object')
    return `[\n${value.map((entry) => `    ${JSON.stringify(entry)}`).join(',\n')}\n  ]`;
  return JSON.stringify(value);
}

function headerMembers(tool: Tool, record: Readonly<MetaRecord>, unclean: boolean): Record<string, unknown> {
  const common = { version: tool.format, unclean };
  switch (tool.format) {
    case 'v06':
      return { ...common, gc: record.counters };
    case 'v07':
      return { ...common, gc: record.counters, 'la-size-sect': record.effectiveSize };
    case 'v08':
      return {
        ...common,
        uuids: [
          record.currentUuid,
          record.peers[0]?.bitmapUuid ?? 0n,
          ...record.historyUuids.slice(0, 2),
        ].map(hex64),
        flags: hex32(record.flags),
        ...geometry(record),
      };
    case 'v09':
      return {
        ...common,
        'max-peers': record.bmMaxPeers,
        'node-id': record.nodeId,
        'current-uuid': hex64(record.currentUuid),
        flags: hex32(record.flags),
        members: hex64(record.members),
        peers: record.peers.map((peer) => ({
          'bitmap-index': peer.bitmapIndex,
          'bitmap-uuid': hex64(peer.bitmapUuid),
          'bitmap-dagtag': hex64(peer.bitmapDagtag),
          flags: hex32(peer.flags),
        })),
        'history-uuids': record.historyUuids.map(hex64),
        ...geometry(record),
      };
  }
}

function geometry(record: Readonly<MetaRecord>): Record<string, unknown> {
  return {
    'la-size-sect': record.effectiveSize,
    'bm-byte-per-bit': record.bmBytesPerBit,
    'device-uuid': hex64(record.deviceUuid),
    'la-peer-max-bio-size': record.laPeerMaxBioSize,
    'al-stripes': record.alStripes,
    'al-stripe-size-4k': record.alStripeSize4k,
  };
}

async function dumpRuns(tool: Tool, md: MetaData, writer: DumpWriter): Promise<void> {
  if (tool.format === 'v06') return;
  const { record } = md;
  const bytes = bitmapBytes(record.effectiveSize, record.bmBytesPerBit, record.bmMaxPeers);
  const reader = new SlotReader(md, bytes);
  const store = new SegmentStore(reader.memory);
  try {
    await reader.run((slot, segment) => store.add(slot, segment));
    for (let slot = 0; slot < record.bmMaxPeers; slot++) {
      writer.text(`${slot === 0 ? '' : ','}\n    [`);
      const runs = new RunWriter(writer);
      store.replay(slot, (segment) => runs.segment(segment));
      runs.end();
      writer.text(']');
    }
  } finally {
    store.close();
  }
}

class RunWriter {
  private count = 0;
  private high = 0;
  private low = 0;
  private first = true;

  constructor(private readonly writer: DumpWriter) {}

  /** Segments have an even number of words, but for an odd one of padding at the end of a slot. */
  segment({ words, value, length }: SlotSegment): void {
    if (words === undefined) return this.add(Math.floor(length / 2), value, value);
    for (let k = 0; k + 1 < length; k += 2) {
      const low = words[k] ?? 0;
      const high = words[k + 1] ?? 0;
      if (low === this.low && high === this.high && this.count > 0) this.count++;
      else this.add(1, high, low);
    }
  }

  private add(count: number, high: number, low: number): void {
    if (this.count > 0 && (high !== this.high || low !== this.low)) this.end();
    this.count += count;
    this.high = high;
    this.low = low;
  }

  end(): void {
    if (this.count === 0) return;
    if (!this.first) this.writer.text(',');
    this.writer.countedPair(this.count, this.high, this.low);
    this.first = false;
    this.count = 0;
  }
}
