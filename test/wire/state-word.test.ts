import * as fc from 'fast-check';
import {
  CONN,
  DISK,
  mirrorState,
  packState,
  ROLE,
  STATE_MASK,
  stateFromWire,
  stateToWire,
  unpackState,
} from '../../src/wire/state-word';

const word = fc.integer({ min: 0, max: 0x00ffffff });

test('the example of the specification, before and after protocol 110', () => {
  const state = packState({
    role: ROLE.Secondary,
    conn: CONN.Connected,
    disk: DISK.UpToDate,
    peerDisk: DISK.DUnknown,
  });
  expect(state).toBe(0x0000f292);
  expect(stateToWire(state, 118)).toBe(0x0000f292);
  expect(stateToWire(state, 109)).toBe(0x0000d092);
  expect(stateFromWire(0x0000d092, 101)).toBe(0x0000f292);
});

test('the masks are those of the specification', () => {
  expect(Object.values(STATE_MASK)).toEqual([
    0x00000003, 0x0000000c, 0x000001f0, 0x00001e00, 0x0001e000, 0x00020000, 0x00040000, 0x00080000,
    0x00100000, 0x00200000, 0x00400000, 0x00800000,
  ]);
});

test('all fields survive packing; the words of two-phase commits read right', () => {
  fc.assert(fc.property(word, (any) => expect(packState(unpackState(any))).toBe(any)));
  expect(packState({ conn: CONN.Mask, role: 3 })).toBe(0x1f3);
  expect(packState({ conn: CONN.Connected, role: ROLE.Secondary })).toBe(0x92);
  expect(packState({ role: 3, disk: DISK.Mask })).toBe(0x1e03);
  expect(unpackState(0x80ea82)).toMatchObject({
    role: 2,
    conn: CONN.Connecting,
    disk: DISK.Inconsistent,
    peerDisk: DISK.DUnknown,
    quorum: 1,
  });
});

test('every disk state but Detaching has a number below protocol 110; Detaching is said as Failed', () => {
  const there = Object.values(DISK).map((disk) => unpackState(stateToWire(packState({ disk }), 101)).disk);
  expect(there).toEqual([0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 14]);
  for (const disk of [0, 1, 3, 4, 5, 6, 7, 8, 9])
    expect(stateFromWire(stateToWire(packState({ disk, peerDisk: disk, role: 1 }), 101), 101)).toBe(
      packState({ disk, peerDisk: disk, role: 1 }),
    );
});

test('no received word makes a disk state spill over', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(101, 124), (any, protocol) => {
      const disks = STATE_MASK.disk | STATE_MASK.peerDisk;
      expect(stateFromWire(any, protocol) & ~disks).toBe(any & ~disks);
      expect(stateToWire(any, protocol) & ~disks).toBe(any & ~disks);
    }),
  );
});

test('the peer’s view: roles and disks change places, sources become targets', () => {
  const theirs = packState({
    role: 1,
    peer: 2,
    conn: CONN.WFBitMapS,
    disk: 9,
    peerDisk: 5,
    userIsp: 1,
    quorum: 1,
  });
  expect(unpackState(mirrorState(theirs))).toMatchObject({
    role: 2,
    peer: 1,
    conn: CONN.WFBitMapT,
    disk: 5,
    peerDisk: 9,
    peerIsp: 1,
    userIsp: 0,
    quorum: 0,
  });
  const conns = [
    CONN.StartingSyncS,
    CONN.StartingSyncT,
    CONN.VerifyS,
    CONN.Disconnecting,
    CONN.Connecting,
    CONN.Mask,
    CONN.VerifyT,
    CONN.Ahead,
  ];
  expect(conns.map((conn) => unpackState(mirrorState(packState({ conn }))).conn)).toEqual([
    CONN.StartingSyncT,
    CONN.StartingSyncS,
    CONN.VerifyT,
    CONN.TearDown,
    CONN.Connecting,
    CONN.Mask,
    0,
    0,
  ]);
});
