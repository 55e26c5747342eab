import { createHmac } from 'node:crypto';
import { authMessage } from '../../src/wire/auth';
import { packetBytes } from '../../src/wire/encode';
import { agreeOnProtocol, maxBioSize, maxDiscardSize, NO_VOLUME } from '../../src/wire/features';
import { splitDigest } from '../../src/wire/packets';
import {
  allNodesBut,
  commitReachableNodes,
  commitResize,
  commitStateChange,
  NO_TARGET,
  replyResize,
  stateChangeWord,
  TWOPC_FLAG,
} from '../../src/wire/twopc';
import {
  packUuidLists,
  unallocatedNode,
  UUID_FLAG,
  uuidLists,
  withUnallocatedNode,
} from '../../src/wire/uuids110';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const offer = (
  protocolMin: number,
  protocolMax: number,
  features = 0x3ff,
): { protocolMin: number; protocolMax: number; features: number } => ({ protocolMin, protocolMax, features });

describe('agreement', () => {
  const us = offer(86, 124);

  test('the smaller maximum and the common flags', () => {
    expect(agreeOnProtocol(us, offer(86, 122, 0x7f))).toEqual({
      agreed: true,
      protocol: 122,
      features: 0x7f,
    });
    expect(agreeOnProtocol(us, offer(86, 101, 0x0f))).toEqual({
      agreed: true,
      protocol: 101,
      features: 0x0f,
    });
    expect(agreeOnProtocol(us, offer(96, 0, 0))).toEqual({ agreed: true, protocol: 96, features: 0 });
  });

  test('refusals in the kernel’s words', () => {
    expect(agreeOnProtocol(offer(118, 124), offer(86, 101))).toEqual({
      agreed: false,
      reason: 'incompatible DRBD dialects: I support 118-124, peer supports 86-101',
    });
    expect(agreeOnProtocol(us, offer(86, 117))).toEqual({
      agreed: false,
      reason: 'incompatible DRBD 9 dialects: I support 86-124, peer supports 86-117',
    });
    expect(agreeOnProtocol(us, offer(86, 121, 0x1f))).toMatchObject({ agreed: false });
    expect(agreeOnProtocol(us, offer(86, 121, 0x0f))).toMatchObject({ agreed: true, protocol: 121 });
  });

  test('limits that follow', () => {
    expect([90, 95, 100, 124].map(maxBioSize)).toEqual([32768, 131072, 1048576, 1048576]);
    expect([maxDiscardSize(0), maxDiscardSize(4)]).toEqual([4 << 20, 128 << 20]);
  });
});

test('authentication: the specification’s vectors', () => {
  const challenge = Uint8Array.from({ length: 64 }, (_, i) => i);
  const answer = (alg: string, protocol: number): string =>
    createHmac(alg, 'secret')
      .update(authMessage(challenge, protocol, 1))
      .digest('hex');
  expect(answer('md5', 101)).toBe('333142ba1db44c59d756a2bee16b906b');
  expect(answer('md5', 124)).toBe('7568d458b02970d8a50c3fedc1d7c216');
  expect(answer('sha1', 101)).toBe('afe9485a34cf04a78c4f0101a2a08974b912de08');
  expect(answer('sha1', 118)).toBe('43121955015e1176582520bf9fe0b85c07ea1eb0');
  expect(answer('sha256', 109)).toBe('5f5d485f2228776ad7710aa47d15a4d61744dbb9a2a3e5647f5a1bbfcf8015e1');
  expect(answer('sha256', 110)).toBe('c27bbd74a8102f71a2d39ab9f37217578e1a9a52fb44ec3d366583a0ced4fd2d');
});

describe('two-phase commit', () => {
  const head = {
    type: 'P_TWOPC_PREPARE',
    volume: NO_VOLUME,
    tid: 0x11223344,
    initiatorNodeId: 0,
    targetNodeId: NO_TARGET,
  } as const;
  const prepare = { ...head, flags: 0xc0000000, nodesToReach: allNodesBut(7n), mask: 3, value: 1 };

  test('the PREPARE of the specification', () => {
    expect(hex(packetBytes(prepare, { protocol: 124, features: 0x3ff }))).toBe(
      '8620ec20ffff002e0000002400000000' +
        '11223344' +
        'c0000000' +
        '0000' +
        '00' +
        'ff' +
        'fffffffffffffff8' +
        '0000000000000000' +
        '00000003' +
        '00000001',
    );
  });

  test('flags may be put together with |, which makes bit 31 a sign', () => {
    const flags = TWOPC_FLAG.HAS_FLAGS | TWOPC_FLAG.HAS_REACHABLE;
    expect(flags).toBeLessThan(0);
    const context = { protocol: 124, features: 0x3ff };
    expect(hex(packetBytes({ ...prepare, flags }, context))).toBe(hex(packetBytes(prepare, context)));
  });

  test('its first form, without the feature', () => {
    expect(hex(packetBytes(prepare, { protocol: 118, features: 0x0f })).slice(32)).toBe(
      '11223344' +
        '00000000' +
        'ffffffff' +
        'fffffffffffffff8' +
        '0000000000000000' +
        '00000003' +
        '00000001',
    );
  });

  test('what a verdict means', () => {
    const commit = {
      ...head,
      type: 'P_TWOPC_COMMIT',
      nodesToReach: 0n,
      primaryNodes: 1n,
      reachableNodes: 3n,
    } as const;
    const flags = TWOPC_FLAG.HAS_FLAGS | TWOPC_FLAG.HAS_REACHABLE;
    expect(commitReachableNodes({ ...commit, flags })).toBe(3n);
    expect(commitReachableNodes({ ...commit, flags: 0 })).toBeNull();
    const word = stateChangeWord(0xffffffff, 0x1201);
    expect(commitStateChange({ ...commit, flags: 0, reachableNodes: word })).toEqual({
      mask: 0xffffffff,
      value: 0x1201,
    });
    expect(commitResize({ ...commit, flags, reachableNodes: 32688n })).toEqual({
      diskfulPrimaryNodes: 1n,
      exposedSize: 32688,
    });
    expect(commitResize({ ...commit, flags, reachableNodes: 1n << 63n })).toBeNull();
    const yes = {
      type: 'P_TWOPC_YES',
      volume: 0,
      tid: 1,
      initiatorNodeId: 0,
      reachableNodes: 3n,
      primaryNodes: 2n,
    } as const;
    expect(replyResize({ ...yes, weakNodes: 1n << 41n })).toEqual({
      diskfulPrimaryNodes: 2n,
      maxPossibleSize: 2 ** 41,
    });
    expect(replyResize({ ...yes, weakNodes: allNodesBut(3n) })).toBeNull();
  });
});

test('UUID lists: one word per bit of the mask, then history', () => {
  const lists = {
    bitmap: new Map([
      [5, 55n],
      [0, 10n],
    ]),
    history: [1n, 2n],
  };
  const packed = packUuidLists(lists);
  expect(packed.bitmapUuidsMask).toBe(0b100001n);
  expect(packed.otherUuids.slice(0, 5)).toEqual([10n, 55n, 1n, 2n, 0n]);
  expect(packed.otherUuids.length).toBe(2 + 32);
  const back = uuidLists(packed);
  expect([...back.bitmap]).toEqual([
    [0, 10n],
    [5, 55n],
  ]);
  expect(back.history.slice(0, 3)).toEqual([1n, 2n, 0n]);
  expect(unallocatedNode(withUnallocatedNode(UUID_FLAG.STABLE, 2))).toBe(2);
  expect(withUnallocatedNode(0x20n, 2)).toBe(0x0200000000001020n);
  expect(unallocatedNode(UUID_FLAG.STABLE)).toBeNull();
});

test('digest and data of a block come apart, or not at all', () => {
  const tail = Uint8Array.of(1, 2, 3, 4, 5);
  expect(splitDigest(tail, 4)).toEqual({ digest: Uint8Array.of(1, 2, 3, 4), data: Uint8Array.of(5) });
  expect(splitDigest(tail, 6)).toBeNull();
});
