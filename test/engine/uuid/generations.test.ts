/** Identifiers through the life of two recorded kernels (fixture wire-90, runs 01, 03 and 10). */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { type Device, type Resource } from '../../../src/engine/objects';
import { detectFinishedResyncs } from '../../../src/engine/uuid/detect-finished-resyncs';
import { pushHistory, setBitmapUuidWithHistory, superblockOf } from '../../../src/engine/uuid/generation';
import { newCurrentUuid, writeOwedCurrentUuid } from '../../../src/engine/uuid/new-current-uuid';
import { receiveCurrentUuid, receiveNewCurrent } from '../../../src/engine/uuid/receive-new-current';
import { receiveUuids } from '../../../src/engine/uuid/receive-uuids';
import {
  adoptInitialUuid,
  finishResyncAsTarget,
  noteResyncStart,
} from '../../../src/engine/uuid/resync-uuids';
import {
  attachBacking,
  buildResource,
  firstDevice,
  peerDeviceNamed,
  peerUuids,
  place,
  World,
} from '../state/world';

const { Established, Off, SyncTarget } = ReplicationState;
const slot = (device: Device, node: number): bigint => superblockOf(device).peers[node]?.bitmapUuid ?? -1n;
function setSlot(device: Device, node: number, uuid: bigint): void {
  const found = superblockOf(device).peers[node];
  if (found) found.bitmapUuid = uuid;
}
const history = (device: Device): bigint[] => superblockOf(device).historyUuids.filter((uuid) => uuid !== 0n);

function twoNodes(
  world: World,
  disk: DiskState,
  current: bigint,
  repl: ReplicationState,
  pdsk: DiskState,
): { resource: Resource; device: Device } {
  const resource = buildResource(world, { peers: ['b'] });
  const device = firstDevice(resource);
  attachBacking(device, disk, current);
  const cstate = repl === Off ? ConnectionState.Connecting : ConnectionState.Connected;
  place(peerDeviceNamed(resource, 'b'), cstate, repl, pdsk);
  return { resource, device };
}
function becomePrimary(resource: Resource): void {
  resource.now.role = resource.next.role = Role.Primary;
}

describe('history', () => {
  test('takes the first entry whatever it is, later ones only if they are new', () => {
    const { device } = twoNodes(new World(), DiskState.UpToDate, 0x100n, Established, DiskState.UpToDate);
    pushHistory(device, 0n);
    pushHistory(device, 4n);
    pushHistory(device, 0x101n);
    expect(history(device)).toEqual([]);
    setSlot(device, 1, 0x200n);
    pushHistory(device, 0x201n);
    expect(history(device)).toEqual([0x200n]);
    pushHistory(device, 0x301n);
    pushHistory(device, 0x200n);
    expect(history(device)).toEqual([0x300n, 0x200n]);
  });
});

describe('a new current UUID', () => {
  test('on a Primary alone: the absent peer keeps the old one in its slot', () => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.UpToDate, 0x540n, Off, DiskState.DUnknown);
    setSlot(device, 2, 0xddd0n);
    becomePrimary(resource);
    newCurrentUuid(device, false);
    world.settle();
    expect(superblockOf(device).currentUuid & 1n).toBe(1n);
    expect(slot(device, 1)).toBe(0x540n);
    expect(slot(device, 2)).toBe(0xddd0n);
    expect(world.log.at(-1)).toMatch(
      /^drbd r0\/0 drbd0: new current UUID: [0-9A-F]{16} weak: FFFFFFFFFFFFFFFE$/,
    );
    expect(world.calls).toContain('startNewEpoch(r0)');
  });

  test('is not made when everybody follows', () => {
    const world = new World();
    const { device } = twoNodes(world, DiskState.UpToDate, 0x540n, Established, DiskState.UpToDate);
    for (let node = 2; node < 32; node++) setSlot(device, node, 0xddd0n);
    newCurrentUuid(device, false);
    world.settle();
    expect(superblockOf(device).currentUuid).toBe(0x540n);
  });

  test('of a forced promotion leaves the Inconsistent peer on a fresh bitmap UUID', () => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.UpToDate, 4n, Established, DiskState.Inconsistent);
    becomePrimary(resource);
    newCurrentUuid(device, true);
    world.settle();
    const bitmap = slot(device, 1);
    expect(bitmap).toBeGreaterThan(4n);
    expect(slot(device, 2)).toBe(bitmap);
    expect(world.log[0]).toMatch(/Bitmap UUID for initial resync: [0-9A-F]{16}$/);
    expect(world.log[1]).toMatch(/ weak: FFFFFFFFFFFFFFFC$/);
    expect(world.calls).toContain('sendUuids(r0/0 drbd0 b, 0, fffffffffffffffc)');
  });

  test('that is owed is made after the peers were asked, and then writes go on', () => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.UpToDate, 0x540n, Off, DiskState.DUnknown);
    becomePrimary(resource);
    device.cachedDataAccessible = true;
    device.newCurrentUuidOwed = true;
    writeOwedCurrentUuid(device);
    writeOwedCurrentUuid(device);
    world.settle();
    expect(device.newCurrentUuidOwed).toBe(false);
    expect(world.calls.filter((call) => /checkPeers|newCurrentUuidSettled/.test(call))).toEqual([
      'checkPeers(r0)',
      'newCurrentUuidSettled(r0/0 drbd0)',
    ]);
  });

  test('that a disk is let go with is told to nobody, and is not settled', () => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.UpToDate, 0x540n, Off, DiskState.DUnknown);
    becomePrimary(resource);
    let settled: boolean | undefined;
    newCurrentUuid(device, false, (outcome) => (settled = outcome));
    device.now.disk = DiskState.Detaching;
    world.settle();
    expect(settled).toBe(false);
    expect(device.unwrittenGeneration).toEqual({
      uuid: superblockOf(device).currentUuid,
      predecessor: 0x540n,
    });
    expect(world.log).toEqual([]);
    expect(world.calls.filter((call) => call.startsWith('send'))).toEqual([]);
  });

  test('waits for a handshake that compares identifiers', () => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.UpToDate, 0x540n, Off, DiskState.DUnknown);
    becomePrimary(resource);
    peerDeviceNamed(resource, 'b').inHandshake = true;
    let done = false;
    newCurrentUuid(device, false, () => (done = true));
    world.settle();
    expect([done, superblockOf(device).currentUuid]).toEqual([false, 0x540n]);
  });
});

describe('a resync', () => {
  test('as initial target adopts what the source counts from (run 01)', () => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.Inconsistent, 4n, Established, DiskState.UpToDate);
    const peer = peerDeviceNamed(resource, 'b');
    peer.uuids = peerUuids(0x4706bb923a85324dn);
    peer.uuids.bitmapUuids[0] = 0xc76e7620bf5dba2en;
    adoptInitialUuid(peer);
    expect(world.log).toEqual([
      'drbd r0/0 drbd0 b: setting UUIDs to C76E7620BF5DBA2E:0000000000000000:0000000000000000:0000000000000000',
    ]);
    place(peer, ConnectionState.Connected, SyncTarget, DiskState.UpToDate);
    noteResyncStart(peer);
    expect(slot(device, 2)).toBe(0xc76e7620bf5dba2en);
    finishResyncAsTarget(peer);
    expect(world.log.at(-1)).toBe(
      'drbd r0/0 drbd0 b: updated UUIDs 4706BB923A85324C:0000000000000000:0000000000000000:0000000000000000',
    );
  });

  test('as target inherits what the source knows, twice (run 03)', () => {
    const world = new World();
    const { resource, device } = twoNodes(
      world,
      DiskState.Inconsistent,
      0x540ac3c6456c5072n,
      SyncTarget,
      DiskState.UpToDate,
    );
    const peer = peerDeviceNamed(resource, 'b');
    peer.uuids = peerUuids(0xba047633ec3aa7bdn);
    peer.uuids.bitmapUuids[0] = 0x540ac3c6456c5072n;
    peer.uuids.bitmapUuids[2] = 0xddd1c3760b20abbdn;
    noteResyncStart(peer);
    finishResyncAsTarget(peer);
    peer.uuids = peerUuids(0xef55a4725ba1bb8fn);
    peer.uuids.bitmapUuids[0] = 0xba047633ec3aa7bdn;
    peer.uuids.bitmapUuids[2] = 0xddd1c3760b20abbdn;
    peer.uuids.historyUuids[0] = 0x540ac3c6456c5072n;
    noteResyncStart(peer);
    finishResyncAsTarget(peer);
    expect(world.log).toEqual([
      'drbd r0/0 drbd0 b: updated UUIDs BA047633EC3AA7BC:0000000000000000:DDD1C3760B20ABBC:0000000000000000',
      'drbd r0/0 drbd0 b: updated UUIDs EF55A4725BA1BB8E:0000000000000000:DDD1C3760B20ABBC:0000000000000000',
    ]);
    expect(slot(device, 2)).toBe(0x540ac3c6456c5072n);
  });

  test('as source is over when the target reports our generation (run 03)', () => {
    const world = new World();
    const { resource, device } = twoNodes(
      world,
      DiskState.UpToDate,
      0xba047633ec3aa7bdn,
      ReplicationState.SyncSource,
      DiskState.Inconsistent,
    );
    becomePrimary(resource);
    setBitmapUuidWithHistory(device, 1, 0x540ac3c6456c5072n);
    const peer = peerDeviceNamed(resource, 'b');
    peer.uuids = peerUuids(0xba047633ec3aa7bcn);
    expect(detectFinishedResyncs(peer)).toBe(true);
    expect(world.log).toEqual([
      'drbd r0/0 drbd0 b: updated UUIDs BA047633EC3AA7BD:0000000000000000:540AC3C6456C5072:0000000000000000',
    ]);
    expect(slot(device, 1)).toBe(0n);
  });

  test.each([
    ['the peer, bits left', 0x33n, 0n, 5, { peer: true, source: false }, 'Peer missed end of resync'],
    [
      'the peer, nothing left',
      0x33n,
      0n,
      0,
      { peer: false, source: false },
      'Peer missed end of resync, 0 to sync',
    ],
    ['we, bits left', 0n, 0x33n, 5, { peer: false, source: true }, 'Missed end of resync as sync-source'],
    [
      'we, nothing left',
      0n,
      0x33n,
      0,
      { peer: false, source: false },
      'Missed end of resync as sync-source, no bits to sync',
    ],
  ])('whose end was missed: %s', (_name, theirs, mine, bits, flags, line) => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.UpToDate, 0x100n, Off, DiskState.DUnknown);
    setBitmapUuidWithHistory(device, 1, mine);
    world.bits.set('0/b', bits);
    const peer = peerDeviceNamed(resource, 'b');
    peer.uuids = peerUuids(0x100n);
    peer.uuids.bitmapUuids[0] = theirs;
    detectFinishedResyncs(peer);
    expect({ peer: peer.rsPeerMissedEnd, source: peer.rsSourceMissedEnd }).toEqual(flags);
    expect(world.log.at(-1)).toBe(`drbd r0/0 drbd0 b: ${line}`);
  });
});

describe('identifiers from a peer', () => {
  test('a new generation of the Primary is adopted, weak nodes keep the old one (run 10)', () => {
    const world = new World();
    const { resource, device } = twoNodes(
      world,
      DiskState.UpToDate,
      0x4d7en,
      Established,
      DiskState.UpToDate,
    );
    // The recorded mask lacks its receiver, node 1; here that is node 0.
    receiveNewCurrent(peerDeviceNamed(resource, 'b'), 0x8710c56415882723n, 0xfffffffffffffffen);
    expect(superblockOf(device).currentUuid).toBe(0x8710c56415882722n);
    expect(history(device)).toEqual([0x4d7en]);
    expect(world.log[0]).toBe(
      'drbd r0/0 drbd0 b: received new current UUID: 8710C56415882723 weak_nodes=FFFFFFFFFFFFFFFE',
    );
  });

  test('a host that the Primary went on without does not take the name of its new generation', () => {
    const world = new World();
    const { resource, device } = twoNodes(
      world,
      DiskState.UpToDate,
      0x4d7en,
      Established,
      DiskState.UpToDate,
    );
    receiveNewCurrent(peerDeviceNamed(resource, 'b'), 0x8710c56415882723n, 0xfffffffffffffffdn);
    expect(superblockOf(device).currentUuid).toBe(0x4d7en);
    expect(device.now.disk).toBe(DiskState.Outdated);
  });

  test('skip-initial-sync makes both disks UpToDate', () => {
    const world = new World();
    const { resource, device } = twoNodes(
      world,
      DiskState.Inconsistent,
      4n,
      Established,
      DiskState.Inconsistent,
    );
    const received = peerUuids(0x540ac3c6456c5072n, 0x2cn);
    expect(receiveUuids(peerDeviceNamed(resource, 'b'), received)).toBe('nothing');
    expect(device.now.disk).toBe(DiskState.UpToDate);
    expect(world.log).toEqual([
      'drbd r0/0 drbd0: Accepted new current UUID, preparing to skip initial sync',
      'drbd r0/0 drbd0: disk( Inconsistent -> UpToDate ) [skip-initial-sync]',
      'drbd r0/0 drbd0 b: pdsk( Inconsistent -> UpToDate ) [skip-initial-sync]',
      'drbd r0/0 drbd0 b: receiver updated UUIDs to 540AC3C6456C5072:0000000000000000:0000000000000000:0000000000000000',
    ]);
  });

  test('a diskless Secondary goes with its UpToDate peer (run 10)', () => {
    const world = new World();
    const resource = buildResource(world, { peers: ['b'] });
    const peer = peerDeviceNamed(resource, 'b');
    place(peer, ConnectionState.Connected, Established, DiskState.UpToDate);
    receiveUuids(peer, peerUuids(0x8710c56415882722n, 0x20n));
    expect(world.log.at(-1)).toBe(
      'drbd r0/0 drbd0 b: receiver updated UUIDs to exposed data uuid: 8710C56415882722',
    );
  });

  test('a stable peer that offers a resync is answered, and generations are compared', () => {
    const world = new World();
    const { resource } = twoNodes(world, DiskState.UpToDate, 0x100n, Established, DiskState.UpToDate);
    const peer = peerDeviceNamed(resource, 'b');
    expect(receiveUuids(peer, peerUuids(0x100n, 0x60n))).toBe('resync-after-unstable');
    expect(world.calls).toContain('sendUuids(r0/0 drbd0 b, 80)');
    expect(peer.uuids?.flags).toBe(0x20n);
  });

  test('a diskless node that moved on outdates us', () => {
    const world = new World();
    const { resource, device } = twoNodes(world, DiskState.UpToDate, 0x100n, Established, DiskState.Diskless);
    const peer = peerDeviceNamed(resource, 'b');
    peer.uuids = peerUuids(0x100n);
    receiveCurrentUuid(peer, 0x900n, 0n);
    expect(device.now.disk).toBe(DiskState.Outdated);
  });
});

test('the end of a resync as target keeps slots that count from an older generation', () => {
  const world = new World();
  const resource = buildResource(world, { peers: ['b', 'c'] });
  const device = firstDevice(resource);
  attachBacking(device, DiskState.Inconsistent, 0x6300n);
  const source = peerDeviceNamed(resource, 'b');
  place(source, ConnectionState.Connected, SyncTarget, DiskState.UpToDate);
  source.uuids = peerUuids(0x4500n);
  source.uuids.bitmapUuids[2] = 0x5e00n;
  setSlot(device, 2, 0x5e00n);
  noteResyncStart(source);
  finishResyncAsTarget(source);
  expect(slot(device, 2)).toBe(0x5e00n);
});

test('a node that reached the generation of two others gets the marks of both', () => {
  const world = new World();
  const resource = buildResource(world, { peers: ['b', 'c', 'd'] });
  const device = firstDevice(resource);
  attachBacking(device, DiskState.UpToDate, 0x9000n);
  setSlot(device, 1, 0x5000n);
  setSlot(device, 2, 0x5000n);
  setSlot(device, 3, 0x3000n);
  for (const node of [1, 2]) {
    const found = superblockOf(device).peers[node];
    if (found) found.bitmapDagtag = 10n;
  }
  const returned = peerDeviceNamed(resource, 'd');
  returned.uuids = peerUuids(0x5000n);
  returned.uuidsReceived = true;
  expect(detectFinishedResyncs(returned)).toBe(true);
  expect(slot(device, 3)).toBe(0x5000n);
  expect(world.calls.filter((call) => /copySlot|mergeSlot/.test(call))).toEqual([
    'copySlot(r0/0 drbd0, 0, 2)',
    'mergeSlot(r0/0 drbd0, 0, 2)',
    'mergeSlot(r0/0 drbd0, 1, 2)',
  ]);
});
