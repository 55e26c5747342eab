import { describePacket } from '../../src/wire/describe-packet';
import { NO_VOLUME } from '../../src/wire/features';
import { loadRecording } from './recordings';
import { PacketReader } from '../../src/wire/reader';

test('a packet is one line with all its fields', () => {
  expect(describePacket({ type: 'P_BARRIER_ACK', volume: NO_VOLUME, barrier: 3, setSize: 1 })).toBe(
    'P_BARRIER_ACK v-1 barrier=3 setSize=1',
  );
  const block = { volume: 0, sector: 8, idHigh: 1, idLow: 0xff, sequence: 4 };
  expect(describePacket({ type: 'P_DATA', ...block, flags: 0x100, data: new Uint8Array(512) })).toBe(
    'P_DATA v0 sector=8 id=00000001000000ff sequence=4 flags=0x100 data=512 bytes',
  );
  expect(describePacket({ type: 'P_STATE', volume: 1, state: 0x80ea82 })).toBe('P_STATE v1 state=0x80ea82');
});

test('recorded sizes and parameters show their optional parts', () => {
  const stream = loadRecording('90/01-two-nodes-initial-sync').streams.find(
    (one) => one.agreed.protocol === 124 && one.by === 'a',
  );
  const reader = new PacketReader('data');
  reader.push(stream?.bytes ?? new Uint8Array(0));
  const lines: string[] = [];
  while (reader.next() === 'packet') {
    const packet = reader.packet();
    if (packet.type === 'fault') throw new Error(packet.fault);
    if (packet.type === 'P_CONNECTION_FEATURES' && stream) reader.setContext(stream.agreed);
    lines.push(describePacket(packet));
  }
  expect(lines.find((line) => line.startsWith('P_SIZES'))).toBe(
    'P_SIZES v0 diskSize=32688 userSize=0 currentSize=32688 maxBioSize=1048576 queueOrderType=0 ddsFlags=0 ' +
      'physicalBlockSize=512 logicalBlockSize=512 alignmentOffset=0 ioMin=512 ioOpt=0 discardEnabled=1 ' +
      'discardZeroesData=0 writeSameCapable=0 bitmapBlockShift=0',
  );
  expect(lines.find((line) => line.startsWith('P_SYNC_PARAM89'))).toBe(
    'P_SYNC_PARAM89 v0 resyncRate=2048 verifyAlg="" csumsAlg="" planAhead=0 delayTarget=10 fillTarget=100 maxRate=102400',
  );
  expect(lines.find((line) => line.startsWith('P_TWOPC_PREPARE'))).toMatch(
    /^P_TWOPC_PREPARE v-1 tid=\d+ flags=0xc0000000 initiatorNodeId=0 targetNodeId=1 nodesToReach=0xfffffffffffffffc mask=0x1f3 value=0x92$/,
  );
});
