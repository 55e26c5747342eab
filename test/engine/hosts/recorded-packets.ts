/** What is compared of packets, and what becomes of recorded ones on their way into an engine. */
import { describePacket } from '../../../src/wire/describe-packet';
import { type Packet, type PacketOf } from '../../../src/wire/packets';
import { UUID_FLAG, unallocatedNode } from '../../../src/wire/uuids110';
import { type RecordedEvent } from './recorded-events';

/**
 * Left out on both sides: pings follow the clock, P_UNPLUG_REMOTE is a hint of the block layer, and the others belong
 * to RESYNC_WITHOUT_REPLICATION, which is not offered.
 */
const DROPPED: readonly Packet['type'][] = [
  'P_PING',
  'P_PING_ACK',
  'P_UNPLUG_REMOTE',
  'P_ENABLE_REPLICATION',
  'P_ENABLE_REPLICATION_NEXT',
];
export const dropped = ({ type }: Packet): boolean => DROPPED.includes(type);

/** Fields that the one side chooses freely (block ids, numbers of epochs), or that describe its block devices. */
export function comparable(packet: Packet): string {
  switch (packet.type) {
    case 'P_SIZES': {
      const { diskSize, userSize, currentSize, volume } = packet;
      return `P_SIZES v${volume} diskSize=${diskSize} userSize=${userSize} currentSize=${currentSize}`;
    }
    case 'P_CONNECTION_FEATURES':
      return `P_CONNECTION_FEATURES sender=${packet.senderNodeId} receiver=${packet.receiverNodeId}`;
    case 'P_UUIDS110':
      return describePacket(withoutUnallocated(packet));
    default:
      return describePacket(packet)
        .replace(/ (block|oldest|youngest|id)=[0-9a-f]{16}/g, '')
        .replace(/ barrier=\d+/, '')
        .replace(/ sequence=\d+/, '')
        .replace(/ tid=\d+/, '');
  }
}

/** Without the day-0 slot of nobody, which the engine does not announce (wire-protocol.md 7.6). */
function withoutUnallocated(packet: PacketOf<'P_UUIDS110'>): Packet {
  const node = unallocatedNode(packet.flags);
  if (node === null) return packet;
  const bit = 1n << BigInt(node);
  let index = 0;
  for (let id = 0; id < node; id++) if ((packet.bitmapUuidsMask >> BigInt(id)) & 1n) index++;
  return {
    ...packet,
    flags: packet.flags & ~UUID_FLAG.HAS_UNALLOC & 0xff_ffff_ffff_ffffn,
    bitmapUuidsMask: packet.bitmapUuidsMask & ~bit,
    otherUuids: packet.otherUuids.filter((_uuid, at) => at !== index),
  };
}

/**
 * The recorded packet as the engine can understand it: it agreed to fewer features. It asks for a flush with each resync
 * and not once for all, the last time as `flushSequence`.
 */
export function forEngine(packet: Packet, flushSequence: number): Packet | undefined {
  if (packet.type === 'P_FLUSH_REQUESTS_ACK') return { ...packet, flushSequence };
  if (packet.type === 'P_PING_ACK' || packet.type.startsWith('P_ENABLE_REPLICATION')) return undefined;
  return packet;
}

/** Random numbers of a node, in the order in which they were used. */
export function randomNumbers(
  events: readonly RecordedEvent[],
  node: string,
): { tids: number[]; uuids: bigint[]; challenges: Uint8Array[] } {
  const tids: number[] = [];
  const uuids: bigint[] = [];
  const challenges: Uint8Array[] = [];
  const known = new Set<bigint>([0n, 4n, 0xffff_ffff_ffff_fffen]);
  const meet = (uuid: bigint, own: boolean): void => {
    const bare = uuid & ~1n;
    if (known.has(bare)) return;
    known.add(bare);
    if (own) uuids.push(uuid);
  };
  for (const event of events) {
    if (event.kind !== 'packet') continue;
    const { packet, by } = event;
    const own = by === node;
    if (own && packet.type === 'P_AUTH_CHALLENGE') challenges.push(packet.challenge);
    if (own && (packet.type === 'P_TWOPC_PREPARE' || packet.type === 'P_TWOPC_PREP_RSZ')) {
      const mine = packet.initiatorNodeId === 'abc'.indexOf(node);
      if (mine && !tids.includes(packet.tid)) tids.push(packet.tid);
    }
    if (packet.type === 'P_UUIDS110') {
      for (const uuid of packet.otherUuids) meet(uuid, own);
      meet(packet.current, own);
    } else if (packet.type === 'P_CURRENT_UUID') meet(packet.uuid, own);
  }
  return { tids, uuids, challenges };
}

/** Packets whose block id or epoch number their sender chooses; all others echo one. */
const NUMBERED: readonly Packet['type'][] = [
  'P_DATA',
  'P_TRIM',
  'P_ZEROES',
  'P_BARRIER',
  'P_DATA_REQUEST',
  'P_RS_DATA_REQUEST',
  'P_RS_DAGTAG_REQ',
  'P_RS_THIN_DAGTAG_REQ',
  'P_CSUM_RS_REQUEST',
  'P_RS_CSUM_DAGTAG_REQ',
  'P_OV_REQUEST',
  'P_OV_DAGTAG_REQ',
  'P_TWOPC_PREPARE',
  'P_TWOPC_PREP_RSZ',
];
type Ids = Readonly<Record<string, number>>;
const idsIn = (packet: Packet): Ids | undefined => {
  const values: Readonly<Record<string, unknown>> = { ...packet };
  const { idHigh, idLow, barrier, tid } = values;
  if (typeof tid === 'number') return { tid };
  if (typeof idHigh === 'number' && typeof idLow === 'number') return { idHigh, idLow };
  return typeof barrier === 'number' ? { barrier } : undefined;
};
const keyOf = (ids: Ids): string => Object.values(ids).join('/');

/** Block ids and epoch numbers of the kernel that the engine stands for, to the engine's own. */
export class BlockIds {
  private readonly kernel = new Map<string, Ids[]>();
  private readonly engine = new Map<string, Ids[]>();
  private readonly known = new Map<string, Ids>();

  /** `stream` has another name in each session: what one of the two left out there does not matter any more. */
  kernelSaid(stream: string, packet: Packet): void {
    this.note(stream, packet, this.kernel);
  }
  engineSaid(stream: string, packet: Packet): void {
    this.note(stream, packet, this.engine);
  }
  /** The n-th of a kind to the n-th of that kind. */
  private note(stream: string, packet: Packet, side: Map<string, Ids[]>): void {
    const ids = NUMBERED.includes(packet.type) ? idsIn(packet) : undefined;
    if (ids === undefined) return;
    const key = `${stream} ${'tid' in packet ? comparable(packet) : packet.type}`;
    const list = side.get(key) ?? [];
    side.set(key, list);
    list.push(ids);
    const index = list.length - 1;
    const [kernel, engine] = [this.kernel.get(key)?.[index], this.engine.get(key)?.[index]];
    if (kernel && engine) this.known.set(keyOf(kernel), engine);
  }
  translate(packet: Packet): Packet {
    const ids = idsIn(packet);
    const own = ids && this.known.get(keyOf(ids));
    return own === undefined ? packet : { ...packet, ...own };
  }
}
