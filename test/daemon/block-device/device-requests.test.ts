/** The engine's side of a block device: who opens it when, and what waits. */
import { type ExportedDevice, type Opener, type OpenWaiter } from '../../../src/engine/application-io';
import { DeviceRequests } from '../../../src/daemon/block-device/device-requests';
import { type Transfer, type TransferKind } from '../../../src/daemon/block-device/fuse-session';
import { type Holder } from '../../../src/daemon/block-device/openers';
import { InputQueue } from '../../../src/daemon/input-queue';

const EROFS = 30;
const EOPNOTSUPP = 95;
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Notes what is asked of it; opens and promotions are decided by the test. */
class ScriptedDevice implements ExportedDevice {
  readonly minor = 1;
  readonly resourceName = 'r0';
  readonly volume = 0;
  size = 1 << 20;
  readonly blockSize = 512;
  readonly said: string[] = [];
  pendingOpen: OpenWaiter | undefined;
  writable = false;
  decidePromotion: ((error: number) => void) | undefined;

  open(
    identity: { command: string; pid: number },
    write: boolean,
    nonBlocking: boolean,
    waiter: OpenWaiter,
  ): void {
    this.said.push(`open ${identity.command} ${write ? 'write' : 'read'}${nonBlocking ? ' ndelay' : ''}`);
    this.writable = write;
    this.pendingOpen = waiter;
  }
  opener(): Opener {
    const done = (text: string, waiter: { onIoDone(error: number): void }): void => {
      this.said.push(text);
      setImmediate(() => waiter.onIoDone(0));
    };
    const isWritable = (): boolean => this.writable;
    return {
      get writable() {
        return isWritable();
      },
      read: (offset, into, waiter) => done(`read ${offset}+${into.length}`, waiter),
      write: (offset, from, _fua, waiter) => done(`write ${offset}+${from.length}`, waiter),
      flush: (waiter) => done('flush', waiter),
      discard: (offset, length, waiter) => done(`discard ${offset}+${length}`, waiter),
      zeroOut: (offset, length, unmap, waiter) => done(`zero ${offset}+${length} ${unmap}`, waiter),
      becomeWriter: (waiter) => {
        this.said.push('becomeWriter');
        // As the engine does: it counts as a writer before it is decided.
        this.writable = true;
        this.decidePromotion = (error) => {
          this.writable = error === 0;
          waiter.onIoDone(error);
        };
      },
      close: () => this.said.push('close'),
    };
  }
}
function setUp(holders: readonly Holder[] = [], canDiscard = true) {
  const device = new ScriptedDevice();
  const queue = new InputQueue((error) => {
    throw error;
  });
  const owner = { findHolders: () => holders, canDiscard: () => canDiscard, onOpened: () => undefined };
  return { device, requests: new DeviceRequests(device, queue, owner) };
}
function transfer(kind: TransferKind, offset: number, length: number, answers: number[]): Transfer {
  const data = kind === 'read' || kind === 'write' ? Buffer.alloc(length) : undefined;
  return { kind, offset, length, data, answer: (error) => void answers.push(error) };
}
const holder = (command: string, write: boolean, nonBlocking = false): Holder => ({
  command,
  pid: 42,
  write,
  nonBlocking,
  stillThere: () => true,
});

test('the first request opens the device for whoever has it open, and waits for that', async () => {
  const { device, requests } = setUp([holder('blkid', false, true), holder('mkfs.ext4', true)]);
  const answers: number[] = [];
  requests.transfer(transfer('read', 0, 4096, answers));
  requests.transfer(transfer('write', 4096, 512, answers));
  expect(device.said).toEqual(['open mkfs.ext4 write']);
  expect(requests.isQuiet).toBe(false);
  device.pendingOpen?.onOpened(device.opener());
  await soon();
  await soon();
  expect(device.said.slice(1)).toEqual(['read 0+4096', 'write 4096+512']);
  expect(answers).toEqual([0, 0]);
  expect(requests.isQuiet).toBe(true);
});

test('a reader that does not wait is opened so', () => {
  const { device, requests } = setUp([holder('blkid', false, true)]);
  requests.transfer(transfer('read', 0, 512, []));
  expect(device.said).toEqual(['open blkid read ndelay']);
});

test('a refused open fails what waits for it, and the next request tries again', () => {
  const { device, requests } = setUp();
  const answers: number[] = [];
  requests.transfer(transfer('write', 0, 512, answers));
  requests.transfer(transfer('read', 0, 512, answers));
  device.pendingOpen?.onOpenFailed(EROFS);
  expect(answers).toEqual([EROFS, EROFS]);
  requests.transfer(transfer('read', 0, 512, answers));
  expect(device.said).toEqual(['open loop write', 'open loop read']);
});

test('writes wait while a reader becomes a writer; a refusal fails them and not the reads', async () => {
  const { device, requests } = setUp([holder('cat', false)]);
  const answers: number[] = [];
  const reads: number[] = [];
  requests.transfer(transfer('read', 0, 512, reads));
  device.pendingOpen?.onOpened(device.opener());
  requests.transfer(transfer('write', 0, 512, answers));
  requests.transfer(transfer('write', 512, 512, answers));
  requests.transfer(transfer('read', 1024, 512, reads));
  expect(device.said).toEqual(['open cat read', 'read 0+512', 'becomeWriter']);
  device.decidePromotion?.(EROFS);
  await soon();
  await soon();
  expect(answers).toEqual([EROFS, EROFS]);
  expect(reads).toEqual([0, 0]);
  requests.transfer(transfer('write', 0, 512, answers));
  device.decidePromotion?.(0);
  await soon();
  expect(device.said.slice(-2)).toEqual(['becomeWriter', 'write 0+512']);
});

test('holes are punched as zeroes where the disk discards, and refused elsewhere; zeroes always work', async () => {
  for (const canDiscard of [true, false]) {
    const { device, requests } = setUp([holder('fstrim', true)], canDiscard);
    const answers: number[] = [];
    requests.transfer(transfer('zero', 0, 4096, answers));
    device.pendingOpen?.onOpened(device.opener());
    requests.transfer(transfer('punch', 4096, 8192, answers));
    await soon();
    await soon();
    expect(device.said.slice(1)).toEqual([
      'zero 0+4096 false',
      ...(canDiscard ? ['zero 4096+8192 true'] : []),
    ]);
    expect([...answers].sort()).toEqual(canDiscard ? [0, 0] : [0, EOPNOTSUPP]);
  }
});

test('what is not aligned or beyond the end is refused; a device that is gone answers nothing but errors', () => {
  const { device, requests } = setUp();
  const answers: number[] = [];
  requests.transfer(transfer('read', 100, 512, answers));
  requests.transfer(transfer('write', device.size, 512, answers));
  requests.transfer(transfer('write', 0, 512, answers));
  requests.end();
  requests.transfer(transfer('flush', 0, 0, answers));
  expect(answers).toEqual([22, 5, 5, 5]);
  device.pendingOpen?.onOpened(device.opener());
  expect(requests.isOpen).toBe(false);
});
