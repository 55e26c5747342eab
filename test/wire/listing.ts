/** Packets in the words of the independent decoder that wrote fixtures/wire packets.txt.gz. */
import { NO_VOLUME } from '../../src/wire/features';
import { type Packet, type TwopcPreparePacket, type TwopcVerdictPacket } from '../../src/wire/packets';
import { unpackState } from '../../src/wire/state-word';
import { TWOPC_FLAG } from '../../src/wire/twopc';

const ROLES = ['Unknown', 'Primary', 'Secondary'];
const CONNS =
  'StandAlone Disconnecting Unconnected Timeout BrokenPipe NetworkFailure ProtocolError TearDown WFConnection WFReportParams Connected StartingSyncS StartingSyncT WFBitMapS WFBitMapT WFSyncUUID SyncSource SyncTarget VerifyS VerifyT PausedSyncS PausedSyncT Ahead Behind'.split(
    ' ',
  );
const CONNS9 = [...CONNS.slice(0, 8), 'Connecting', 'Connected/Off', 'Established', ...CONNS.slice(11)];
const DISKS9 =
  'Diskless Attaching Detaching Failed Negotiating Inconsistent Outdated DUnknown Consistent UpToDate'.split(
    ' ',
  );
const DISKS = DISKS9.filter((name) => name !== 'Detaching');

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const hex32 = (high: number, low: number): string =>
  [high, low].map((half) => half.toString(16).padStart(8, '0')).join('');
const uuid = (value: bigint): string => value.toString(16).toUpperCase().padStart(16, '0');

function state(word: number, protocol: number, mask = 0xffffffff): string {
  const v9 = protocol >= 110;
  const value = unpackState(word);
  const wanted = unpackState(mask);
  const out: string[] = [];
  const part = (name: string, has: number, index: number, names: readonly string[]): void => {
    if (has) out.push(`${name}:${names[index] ?? index}`);
  };
  part('role', wanted.role, value.role, ROLES);
  part('peer', wanted.peer, value.peer, ROLES);
  part('conn', wanted.conn, value.conn, v9 ? CONNS9 : CONNS);
  part('disk', wanted.disk, value.disk, v9 ? DISKS9 : DISKS);
  part('pdsk', wanted.peerDisk, value.peerDisk, v9 ? DISKS9 : DISKS);
  if (wanted.suspUser & value.suspUser) out.push('susp');
  if (wanted.afterIsp & value.afterIsp) out.push('aftr_isp');
  if (wanted.peerIsp & value.peerIsp) out.push('peer_isp');
  if (wanted.userIsp & value.userIsp) out.push('user_isp');
  if (wanted.suspNoData & value.suspNoData) out.push('susp_nod');
  if (wanted.suspFencing & value.suspFencing) out.push('susp_fen');
  if (wanted.quorum & value.quorum) out.push('quorum');
  return `{${out.join(' ')}}`;
}

type TwopcHead = Pick<
  TwopcPreparePacket | TwopcVerdictPacket,
  'tid' | 'flags' | 'initiatorNodeId' | 'targetNodeId' | 'nodesToReach'
>;

function twopc(p: TwopcHead): string {
  const names = [
    [TWOPC_FLAG.HAS_REACHABLE, ',HAS_REACHABLE'],
    [TWOPC_FLAG.PRI_INCAPABLE, ',PRI_INCAPABLE'],
  ] as const;
  const flags = names.map(([flag, name]) => (p.flags & flag ? name : '')).join('');
  return `tid=${p.tid} flags=HAS_FLAGS${flags} initiator=${p.initiatorNodeId} target=${p.targetNodeId}`;
}

const reach = (p: TwopcHead): string => `nodes_to_reach=0x${p.nodesToReach.toString(16)}`;

interface Block {
  readonly sector: number;
  readonly idHigh: number;
  readonly idLow: number;
}
const block = (p: Block): string => `sector=${p.sector} id=${hex32(p.idHigh, p.idLow)}`;
const request = (p: Block & { size: number }): string => `${block(p)} size=${p.size}`;
const ack = (p: Block & { size: number; sequence: number }): string => `${request(p)} seq=${p.sequence}`;
const data = (p: Block & { sequence: number; flags: number }): string =>
  `${block(p)} seq=${p.sequence} dp_flags=0x${p.flags.toString(16)}`;
const dagtagRequest = (p: Block & { size: number; dagtagNodeId: number; dagtag: number }): string =>
  `${request(p)} dagtag_node=${p.dagtagNodeId} dagtag=${p.dagtag}`;

function uuids110(p: Extract<Packet, { type: 'P_UUIDS110' }>): string {
  const others = p.otherUuids.map(uuid);
  let used = others.length;
  while (used > 0 && p.otherUuids[used - 1] === 0n) used--;
  const list = [...others.slice(0, used), ...(used < others.length ? [`${others.length - used}*0`] : [])];
  return (
    `current=${uuid(p.current)} dirty_bits=${p.dirtyBits} flags=0x${p.flags.toString(16)} node_mask=0x${p.nodeMask.toString(16)}` +
    ` bitmap_uuids_mask=0x${p.bitmapUuidsMask.toString(16)} other=${list.join(',')}`
  );
}

function sizes(p: Extract<Packet, { type: 'P_SIZES' }>): string {
  const l = p.limits;
  const limits = l
    ? ` pbs=${l.physicalBlockSize} lbs=${l.logicalBlockSize} align=${l.alignmentOffset} io_min=${l.ioMin} io_opt=${l.ioOpt}` +
      ` discard=${l.discardEnabled} discard_zeroes=${l.discardZeroesData} write_same=${l.writeSameCapable} bm_shift-12=${l.bitmapBlockShift}`
    : '';
  return (
    `d_size=${p.diskSize} u_size=${p.userSize} c_size=${p.currentSize} max_bio=${p.maxBioSize}` +
    ` queue_order=${p.queueOrderType} dds=0x${p.ddsFlags.toString(16)}${limits}`
  );
}

function syncParam(p: Extract<Packet, { type: 'P_SYNC_PARAM89' }>): string {
  const c = p.controller;
  const controller = c
    ? ` plan_ahead=${c.planAhead} delay_target=${c.delayTarget} fill_target=${c.fillTarget} max_rate=${c.maxRate}`
    : '';
  return `rate=${p.resyncRate} verify="${p.verifyAlg}" csums="${p.csumsAlg}"${controller}`;
}

/** Fields of a packet as the listing shows them after `len=N`; empty if it shows none. */
export function fieldsOf(p: Packet, protocol: number): string {
  switch (p.type) {
    case 'P_DATA':
    case 'P_DATA_REPLY':
    case 'P_RS_DATA_REPLY':
      return `${data(p)} data=${p.data.length}`;
    case 'P_TRIM':
    case 'P_ZEROES':
      return `${data(p)} size=${p.size}`;
    case 'P_BARRIER':
      return `barrier=${p.barrier}`;
    case 'P_BARRIER_ACK':
      return `barrier=${p.barrier} set_size=${p.setSize}`;
    case 'P_CONNECTION_FEATURES':
      return `min=${p.protocolMin} features=0x${p.features.toString(16)} max=${p.protocolMax} sender=${p.senderNodeId} receiver=${p.receiverNodeId}`;
    case 'P_SYNC_PARAM89':
      return syncParam(p);
    case 'P_PROTOCOL':
    case 'P_PROTOCOL_UPDATE':
      return `protocol=${p.protocol} after_sb=${p.afterSb0p}/${p.afterSb1p}/${p.afterSb2p} conn_flags=0x${p.connFlags.toString(16)} two_primaries=${p.twoPrimaries} integrity="${p.integrityAlg}"`;
    case 'P_UUIDS':
      return `current=${uuid(p.current)} bitmap=${uuid(p.bitmap)} history=${uuid(p.history0)},${uuid(p.history1)} dirty_bits=${p.dirtyBits} flags=0x${p.flags.toString(16)}`;
    case 'P_UUIDS110':
      return uuids110(p);
    case 'P_CURRENT_UUID':
      return `uuid=${uuid(p.uuid)} weak_nodes=0x${p.weakNodes.toString(16)}`;
    case 'P_SYNC_UUID':
      return `uuid=${uuid(p.uuid)}`;
    case 'P_SIZES':
      return sizes(p);
    case 'P_STATE':
      return `0x${p.state.toString(16)} ${state(p.state, protocol)}`;
    case 'P_STATE_CHG_REQ':
    case 'P_CONN_ST_CHG_REQ':
      return `mask=0x${p.mask.toString(16)} val=0x${p.value.toString(16)} ${state(p.value, protocol, p.mask)}`;
    case 'P_STATE_CHG_REPLY':
    case 'P_CONN_ST_CHG_REPLY':
      return `retcode=${p.code}`;
    case 'P_TWOPC_PREPARE':
      return `${twopc(p)} ${reach(p)} mask=0x${p.mask.toString(16)} val=0x${p.value.toString(16)} ${state(p.value, protocol, p.mask)}`;
    case 'P_TWOPC_COMMIT':
      return `${twopc(p)} ${reach(p)} primary_nodes=0x${p.primaryNodes.toString(16)} reachable_nodes=0x${p.reachableNodes.toString(16)}`;
    case 'P_TWOPC_ABORT':
      return twopc(p);
    case 'P_TWOPC_PREP_RSZ':
      return `${twopc(p)} ${reach(p)} user_size=${p.userSize} dds=0x${p.ddsFlags.toString(16)}`;
    case 'P_TWOPC_YES':
    case 'P_TWOPC_NO':
    case 'P_TWOPC_RETRY':
      return `tid=${p.tid} initiator=${p.initiatorNodeId} reachable=0x${p.reachableNodes.toString(16)} primary=0x${p.primaryNodes.toString(16)} weak=0x${p.weakNodes.toString(16)}`;
    case 'P_OV_RESULT_ID':
      return `${ack(p)} result=${['skip', 'in-sync', 'out-of-sync'][p.result]}`;
    case 'P_OV_REPLY':
    case 'P_CSUM_RS_REQUEST':
      return `${request(p)} digest=${hex(p.digest)}`;
    case 'P_OV_DAGTAG_REPLY':
    case 'P_RS_CSUM_DAGTAG_REQ':
      return `${dagtagRequest(p)} digest=${hex(p.digest)}`;
    case 'P_RS_DAGTAG_REQ':
    case 'P_RS_THIN_DAGTAG_REQ':
    case 'P_OV_DAGTAG_REQ':
      return dagtagRequest(p);
    case 'P_DATA_REQUEST':
    case 'P_RS_DATA_REQUEST':
    case 'P_OV_REQUEST':
    case 'P_RS_THIN_REQ':
      return request(p);
    case 'P_OUT_OF_SYNC':
    case 'P_RS_DEALLOCATED':
      return `sector=${p.sector} size=${p.size}`;
    case 'P_COMPRESSED_BITMAP':
      return `encoding=0x${p.encoding.toString(16)} code=${hex(p.code.subarray(0, 64))}`;
    case 'P_BITMAP':
      return `bytes=${p.bytes.length}${p.bytes.length <= 64 ? ` ${hex(p.bytes)}` : ''}`;
    case 'P_DAGTAG':
      return `dagtag=${p.dagtag}`;
    case 'P_PEER_ACK':
      return `mask=0x${p.mask.toString(16)} dagtag=${p.dagtag}`;
    case 'P_PEERS_IN_SYNC':
      return `sector=${p.sector} mask=0x${p.mask.toString(16)} size=${p.size}`;
    case 'P_PEER_DAGTAG':
      return `dagtag=${p.dagtag} node=${p.nodeId}`;
    case 'P_FLUSH_REQUESTS':
      return `seq=${p.flushSequence}`;
    case 'P_FLUSH_FORWARD':
      return `seq=${p.flushSequence} initiator=${p.initiatorNodeId}`;
    case 'P_FLUSH_REQUESTS_ACK':
      return `seq=${p.flushSequence} primary=${p.primaryNodeId}`;
    case 'P_ENABLE_REPLICATION':
    case 'P_ENABLE_REPLICATION_NEXT':
      return `enable=${p.enable}`;
    case 'P_AUTH_CHALLENGE':
      return hex(p.challenge);
    case 'P_AUTH_RESPONSE':
      return hex(p.response);
    case 'P_RECV_ACK':
    case 'P_WRITE_ACK':
    case 'P_RS_WRITE_ACK':
    case 'P_SUPERSEDED':
    case 'P_NEG_ACK':
    case 'P_NEG_DREPLY':
    case 'P_NEG_RS_DREPLY':
    case 'P_OV_RESULT':
    case 'P_RS_IS_IN_SYNC':
    case 'P_RS_CANCEL':
    case 'P_RETRY_WRITE':
    case 'P_RS_CANCEL_AHEAD':
    case 'P_WRITE_ACK_IN_SYNC':
    case 'P_RS_NEG_ACK':
    case 'P_RS_DEALLOCATED_ID':
      return ack(p);
    default:
      return '';
  }
}

/** "h8 P_INITIAL_META len=0" or "v0 P_STATE len=4 ..." */
export function listed(p: Packet, headerKind: number, length: number, protocol: number): string {
  const volume = p.volume === NO_VOLUME ? -1 : p.volume;
  const fields = fieldsOf(p, protocol);
  return `${headerKind === 100 ? `v${volume}` : 'h8'} ${p.type} len=${length}${fields ? ` ${fields}` : ''}`;
}
