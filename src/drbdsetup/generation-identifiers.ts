// `get-gi` and `show-gi`: generation identifiers and flags of a device towards one peer (drbdsetup.md 7).
import { type DeviceStatistics, type PeerDeviceStatistics } from '../control/contract/snapshot';

const zero = '0000000000000000';

/** Flags of the superblock in the order in which they are printed. */
const diskFlags = [0x1, 0x10, 0x2, 0x40, 0x80, 0x100, 0x200];
/** Flags of the peer's slot. */
const peerFlags = [0x1, 0x2, 0x4, 0x8, 0x10];

/** The line of `get-gi`, without line break. */
export function generationLine(device: DeviceStatistics, peer: PeerDeviceStatistics): string {
  const [younger = zero, older = zero] = device.historyUuids;
  const flag = (flags: number, mask: number): string => ((flags & mask) === 0 ? '0' : '1');
  return [
    device.currentUuid,
    peer.bitmapUuid,
    younger,
    older,
    ...diskFlags.map((mask) => flag(device.diskFlags, mask)),
    ...peerFlags.map((mask) => flag(peer.flags, mask)),
  ].join(':');
}

const heading = [
  '',
  '       +--<  Current data generation UUID  >-',
  "       |               +--<  Bitmap's base data generation UUID  >-",
  '       |               |                 +--<  younger history UUID  >-',
  '       |               |                 |         +-<  older history  >-',
  '       V               V                 V         V',
];
const flagNames = [
  '-<  Data consistency flag  >',
  '-<  Data was/is currently up-to-date  >',
  '-<  Node was/is currently primary  >',
  '-<  This node was a crashed primary, and has not seen its peer since  >',
  '-<  The activity-log was applied, the disk can be attached  >',
  '-<  The activity-log was disabled, peer is completely out of sync  >',
  '-<  This node was primary when it lost quorum  >',
  '-<  Node was/is currently connected  >',
  "-<  The peer's disk was out-dated or inconsistent  >",
  '-<   A fence policy other the dont-care was used  >',
  '-<  Node was in the progress of marking all blocks as out of sync  >',
  '-<  At least once we saw this node with a backing device attached >',
];
/** Column of the first flag in the line. */
const firstFlag = 68;

/** The drawing of `show-gi` around the line, ending with an empty line. */
export function generationDrawing(line: string): string {
  const carets = ' '.repeat(firstFlag) + flagNames.map(() => '^').join(' ');
  const legend = flagNames.map(
    (name, index) =>
      `${name}--+`.padStart(firstFlag + 2 * index + 1) + ' |'.repeat(flagNames.length - 1 - index),
  );
  return [...heading, line, carets, ...legend, '', ''].join('\n');
}
