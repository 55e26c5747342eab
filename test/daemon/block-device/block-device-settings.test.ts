import {
  chooseBlockDevices,
  missingCapability,
} from '../../../src/daemon/block-device/block-device-settings';

const nothing = (): undefined => undefined;
const noFuse = (): string => '/dev/fuse is not there';

test("the machine's own host has block devices, others when asked to", () => {
  const own = chooseBlockDevices({}, '/run/udrbd', nothing);
  expect(own).toEqual({ kind: 'on', settings: { deviceDirectory: '/dev' } });
  expect(chooseBlockDevices({}, '/tmp/lab/alpha', nothing)).toEqual({ kind: 'off', reason: undefined });
  const env = { UDRBD_BLOCK_DEVICES: 'yes', UDRBD_DEVICE_DIR: '/tmp/lab/dev/' };
  expect(chooseBlockDevices(env, '/tmp/lab/alpha', nothing)).toEqual({
    kind: 'on',
    settings: { deviceDirectory: '/tmp/lab/dev' },
  });
  expect(chooseBlockDevices({ UDRBD_BLOCK_DEVICES: 'no' }, '/run/udrbd', nothing).kind).toBe('off');
});

test('what the machine lacks is an error only where block devices were asked for', () => {
  expect(chooseBlockDevices({}, '/run/udrbd', noFuse)).toEqual({
    kind: 'off',
    reason: '/dev/fuse is not there',
  });
  expect(chooseBlockDevices({ UDRBD_BLOCK_DEVICES: 'yes' }, '/run/udrbd', noFuse)).toEqual({
    kind: 'refused',
    reason: 'UDRBD_BLOCK_DEVICES=yes asks for block devices, but /dev/fuse is not there',
  });
});

test('misspelt settings are refused', () => {
  expect(chooseBlockDevices({ UDRBD_BLOCK_DEVICES: 'on' }, '/x', nothing).kind).toBe('refused');
  const env = { UDRBD_BLOCK_DEVICES: 'yes', UDRBD_DEVICE_DIR: 'dev' };
  expect(chooseBlockDevices(env, '/x', nothing).kind).toBe('refused');
});

test("root of a container lacks root's rights", () => {
  const status = (effective: string): string =>
    `Name:\tnode\nCapEff:\t${effective}\nCapBnd:\t000001ffffffffff\n`;
  expect(missingCapability(status('000001ffffffffff'))).toBeUndefined();
  // What docker and podman leave.
  expect(missingCapability(status('00000000a80425fb'))).toBe('CAP_SYS_ADMIN');
  expect(missingCapability(status('0000000000200000'))).toBe('CAP_MKNOD');
  expect(missingCapability('')).toBeUndefined();
});
