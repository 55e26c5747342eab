/** The power fails at every single step of an online grow: no data are lost, and trying again succeeds. */
import { cutsUntilDone, MIB, resizeTo, SMALL } from '../engine/hosts/grown-disks';

jest.setTimeout(600_000);

test.each([
  ['on the Primary, meta-data far apart', 'a', 8 * MIB, resizeTo()],
  ['on the Secondary, meta-data far apart', 'b', 8 * MIB, resizeTo()],
  ['on the Primary, meta-data that overlap', 'a', SMALL, resizeTo()],
  ['on the Secondary, meta-data that overlap', 'b', SMALL, resizeTo()],
  ['on the Primary, the activity log gets other stripes', 'a', 0, resizeTo({ size: 30000, alStripes: 2 })],
  ['on the Secondary, without a resync', 'b', 8 * MIB, resizeTo({ assumeClean: true })],
] as const)('%s', (_, victim, bytes, request) => {
  const steps = cutsUntilDone(1, bytes, victim, request);
  process.stderr.write(`${steps} cuts\n`);
  expect(steps).toBeGreaterThan(20);
});
