/** Thin resync (wire-protocol.md 10): what is asked for in pieces of rs-discard-granularity, and is zeros, is not sent. */
import { type TestHost, twoHosts } from './two-hosts';

const KIB = 1024;
const MIB = 1024 * KIB;

const data = (host: TestHost): Buffer => Buffer.from(host.contents().subarray(0, 4 * MIB));
/** KiB of data sent to the peer. */
const sent = (host: TestHost): number => (host.engine.minors.get(0)?.peerDevices[0]?.io.sentSectors ?? 0) / 2;

test.each([
  { granularity: 0, sentByA: 1024 },
  // 100 to 1124 KiB, all of it.
  { granularity: 4 * KIB, sentByA: 0 },
  // All but 128 to 1088 KiB.
  { granularity: 64 * KIB, sentByA: 64 },
  // None of the aligned pieces is out of sync as a whole.
  { granularity: 1 * MIB, sentByA: 1024 },
])('zeros in a resync with rs-discard-granularity $granularity', ({ granularity, sentByA }) => {
  const { world, a, b } = twoHosts();
  const inSync = (): boolean =>
    world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a) && b.disk === a.disk, 120_000);
  a.up([b]);
  b.up([a]);
  const options = { 'rs-discard-granularity': granularity };
  b.must({ command: 'disk-options', minor: 0, options, setDefaults: false });
  a.primary(true);
  expect(inSync()).toBe(true);
  const opener = a.open(true);
  for (const at of [0, MIB]) expect(a.write(opener, at, new Uint8Array(MIB).fill(1))).toBe(0);
  // Every epoch is confirmed.
  world.run(1000);
  b.must({ command: 'disconnect', resource: 'r0', peerNodeId: a.nodeId, force: false });
  expect(a.write(opener, 100 * KIB, new Uint8Array(MIB))).toBe(0);
  opener.close();
  const before = sent(a);
  b.connect(a);
  world.runUntil(() => !a.inSyncWith(b), 60_000);
  expect(inSync()).toBe(true);
  expect(sent(a) - before).toBe(sentByA);
  expect(data(b).equals(data(a))).toBe(true);
  expect(data(b)[100 * KIB - 1]).toBe(1);
  expect(
    data(b)
      .subarray(100 * KIB, 1124 * KIB)
      .every((byte) => byte === 0),
  ).toBe(true);
});
