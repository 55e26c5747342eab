/** Opening and closing a device, with automatic promotion and demotion (engine.md 8.2). */
import { isSuccess, StateCode, stateCodeText } from '../../control/contract/codes';
import { ConnectionState, DiskState, Role } from '../../control/contract/states';
import { type ExportedDevice, type IoWaiter, type OpenerIdentity, type OpenWaiter } from '../application-io';
import { logicalBlockSize } from '../admin/device-size';
import { type Device, type Resource } from '../objects';
import { Errno, type ErrnoCode } from '../ports';
import { setRole } from '../roles/set-role';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { writesGoOn } from './drain-writes';
import { OpenFile, type OpenFileOwner } from './open-file';
import { flushPeerAck, startNewEpoch } from './transfer-log';

const RETRY_MILLISECONDS = 100;
const MAX_OPENERS_REMEMBERED = 100;

const hasPrimaryPeer = ({ connections }: Resource): boolean =>
  connections.some(({ now }) => now.peerRole === Role.Primary);
const hasUpToDateDisk = (device: Device): boolean =>
  device.now.disk === DiskState.UpToDate ||
  device.peerDevices.some(({ now }) => now.pdsk === DiskState.UpToDate);
const mayImproveSoon = ({ connections }: Resource): boolean =>
  connections.some(
    ({ now }) => now.cstate > ConnectionState.Disconnecting && now.cstate < ConnectionState.Connected,
  );

/** May it be read as things are? 0 or an errno. */
function readOnlyCondition(device: Device): ErrnoCode {
  const { resource } = device;
  if (!device.now.haveQuorum) return Errno.ENODATA;
  if (resource.now.role !== Role.Primary && hasPrimaryPeer(resource)) return Errno.EMEDIUMTYPE;
  if (hasUpToDateDisk(device)) return 0;
  return mayImproveSoon(resource) ? Errno.EAGAIN : Errno.ENODATA;
}

export class DeviceExport implements ExportedDevice, OpenFileOwner {
  constructor(private readonly device: Device) {}

  get minor(): number {
    return this.device.minor;
  }
  get resourceName(): string {
    return this.device.resource.name;
  }
  get volume(): number {
    return this.device.vnr;
  }
  get size(): number {
    return this.device.size * 512;
  }
  get blockSize(): number {
    return logicalBlockSize(this.device);
  }

  open(identity: OpenerIdentity, write: boolean, nonBlocking: boolean, waiter: OpenWaiter): void {
    const file = new OpenFile(this.device, identity, this);
    this.admit(file, write, nonBlocking, (error) => {
      if (error === 0) waiter.onOpened(file);
      else waiter.onOpenFailed(error);
    });
  }
  becomeWriter(file: OpenFile, waiter: IoWaiter): void {
    if (file.writable) this.later(() => waiter.onIoDone(0));
    else this.admit(file, true, false, (error) => waiter.onIoDone(error));
  }
  private later(call: () => void): void {
    this.device.resource.host.ports.scheduler.soon({ run: call });
  }

  private admit(
    file: OpenFile,
    write: boolean,
    nonBlocking: boolean,
    done: (error: ErrnoCode) => void,
  ): void {
    const { device } = this;
    const { resource } = device;
    const refuse = (error: ErrnoCode): void => this.later(() => done(error));
    if (!write && file.identity.command === 'systemd-udevd') return refuse(Errno.EACCES);
    if (resource.now.failIo) return refuse(Errno.ENOTRECOVERABLE);
    if (resource.downInProgress || device.unregistered) return refuse(Errno.EAGAIN);
    const already = device.io.openFiles.includes(file);
    const first = device.openCount === 0 || (write && !device.writable);
    if (resource.twopc.remoteActive && resource.now.role !== Role.Primary && first) {
      if (nonBlocking) return refuse(Errno.EAGAIN);
      this.waitUntil(
        () => !resource.twopc.remoteActive,
        (ok) => (ok ? this.admit(file, write, nonBlocking, done) : done(Errno.EAGAIN)),
      );
      return;
    }
    const undo = this.count(file, write, already);
    this.decide(file, write, nonBlocking, (error) => {
      if (error !== 0) undo();
      done(error);
    });
  }

  /** The counters are raised before the decision; the result takes that back. */
  private count(file: OpenFile, write: boolean, already: boolean): () => void {
    const { device } = this;
    const wasWritable = device.writable;
    if (!already) {
      device.openCount++;
      if (device.io.openFiles.length < MAX_OPENERS_REMEMBERED || write) device.io.openFiles.push(file);
    }
    if (write) {
      file.writable = true;
      device.writable = true;
    }
    if (device.openCount === 1 && !already) device.resource.host.notices.deviceChanged(device);
    return () => {
      if (write) {
        file.writable = false;
        device.writable = wasWritable;
      }
      if (already) return;
      device.openCount--;
      device.io.openFiles.splice(device.io.openFiles.indexOf(file) >>> 0, 1);
      if (device.openCount === 0) device.resource.host.notices.deviceChanged(device);
    };
  }

  private decide(
    file: OpenFile,
    write: boolean,
    nonBlocking: boolean,
    done: (error: ErrnoCode) => void,
  ): void {
    const { device } = this;
    const { resource } = device;
    const finish = (error: ErrnoCode): void => this.later(() => done(error));
    const primary = resource.now.role === Role.Primary;
    if (write) {
      if (primary) finish(0);
      else if (!resource.options.autoPromote) finish(Errno.EROFS);
      else new AutoPromotion(device, file.identity, nonBlocking, done).attempt();
      return;
    }
    if (!resource.options.autoPromote && !primary) return finish(Errno.EMEDIUMTYPE);
    const condition = readOnlyCondition(device);
    const mayWait = resource.options.autoPromote && !nonBlocking;
    if (!mayWait || (condition !== Errno.EAGAIN && condition !== Errno.EMEDIUMTYPE)) return finish(condition);
    const wait = (): void =>
      this.waitUntil(
        () => ![Errno.EAGAIN, Errno.EMEDIUMTYPE].some((code) => code === readOnlyCondition(device)),
        () => {
          const last = readOnlyCondition(device);
          done(last === Errno.EAGAIN ? Errno.EMEDIUMTYPE : last);
        },
      );
    if (condition === Errno.EMEDIUMTYPE) resource.host.peerActions.checkPeers(resource, wait);
    else wait();
  }

  /** Until the condition holds or auto-promote-timeout is over. */
  private waitUntil(condition: () => boolean, done: (holds: boolean) => void): void {
    waitForState(
      this.device.resource,
      this.device.resource.options.autoPromoteTimeout * 100,
      condition,
      done,
    );
  }

  closed(file: OpenFile): void {
    const { device } = this;
    const at = device.io.openFiles.indexOf(file);
    if (at >= 0) device.io.openFiles.splice(at, 1);
    const lastWriter = file.writable && !device.io.openFiles.some(({ writable }) => writable);
    file.writable = false;
    if (!lastWriter) {
      this.dropCount();
      return;
    }
    this.whenWritesAreDone(() => {
      this.dropCount();
      this.demoteIfUnused(file.identity);
    });
  }
  private dropCount(): void {
    const { device } = this;
    device.openCount--;
    if (device.openCount > 0) return;
    device.writable = false;
    device.resource.host.notices.deviceChanged(device);
    const { resource } = device;
    if (resource.now.failIo && resource.devices.every(({ openCount }) => openCount === 0))
      stopFailingIo(resource);
  }

  /** Application writes answered, all barriers acknowledged, peers that refused a write no longer UpToDate. */
  private whenWritesAreDone(done: () => void): void {
    const { device } = this;
    const { resource } = device;
    const settled = (): boolean =>
      device.io.upperPending === 0 &&
      resource.io.logHead === undefined &&
      !device.peerDevices.some(({ gotNegAck, now }) => gotNegAck && now.pdsk === DiskState.UpToDate);
    const look = (): void => {
      startNewEpoch(resource);
      flushPeerAck(resource);
      if (settled() || (resource.cachedSuspended && !writesGoOn(resource))) this.later(done);
      else resource.host.ports.scheduler.after(5, { onTimer: look });
    };
    look();
  }
  private demoteIfUnused(identity: OpenerIdentity): void {
    const { resource } = this.device;
    if (!resource.options.autoPromote || resource.explicitPrimary || resource.now.role !== Role.Primary)
      return;
    if (resource.devices.some(({ io }) => io.openFiles.some(({ writable }) => writable))) return;
    const tag = `${identity.command}:${identity.pid} auto-demote`;
    setRole(resource, Role.Secondary, { force: false, tag }, (code) => {
      if (!isSuccess(code))
        logLine(resource, 'warning', `Auto-demote failed: ${stateCodeText(code) ?? '?'} (${code})`);
    });
  }
}

function stopFailingIo(resource: Resource): void {
  changeState(resource, { hard: true, tag: 'release' }, () => {
    resource.next.failIo = false;
  });
}

/** `condition` is looked at after each committed change. */
function waitForState(
  resource: Resource,
  milliseconds: number,
  condition: () => boolean,
  done: (holds: boolean) => void,
): void {
  let over = false;
  const finish = (holds: boolean): void => {
    if (over) return;
    over = true;
    timer.cancel();
    waiter.remove();
    done(holds);
  };
  const timer = resource.host.ports.scheduler.after(milliseconds, { onTimer: () => finish(condition()) });
  const waiter = whenStateChanges(resource, () => {
    if (condition()) finish(true);
    return over;
  });
  if (condition()) resource.host.ports.scheduler.soon({ run: () => finish(true) });
}

/** Promotion for an open for writing, within auto-promote-timeout. */
class AutoPromotion {
  private readonly deadline: number;
  constructor(
    private readonly device: Device,
    private readonly identity: OpenerIdentity,
    private readonly once: boolean,
    private readonly done: (error: ErrnoCode) => void,
  ) {
    this.deadline = this.now + device.resource.options.autoPromoteTimeout * 100;
  }
  private get now(): number {
    return this.device.resource.host.ports.scheduler.now();
  }
  attempt(): void {
    const { resource } = this.device;
    const started = this.now;
    const tag = `${this.identity.command}:${this.identity.pid} auto-promote`;
    setRole(resource, Role.Primary, { force: false, tag }, (code) => {
      if (resource.now.role === Role.Primary) this.done(0);
      else if (this.once || this.now >= this.deadline) this.fail(code);
      else this.again(code, started);
    });
  }
  private again(code: number, started: number): void {
    const { device } = this;
    const { resource } = device;
    const left = this.deadline - this.now;
    if (code === StateCode.RefusedByPeer) {
      const pause = this.now - started < RETRY_MILLISECONDS ? RETRY_MILLISECONDS : 0;
      resource.host.ports.scheduler.after(Math.min(pause, left), { onTimer: () => this.attempt() });
    } else if (code === StateCode.TwoPrimaries) {
      const free = (): boolean =>
        resource.now.role === Role.Primary || (!hasPrimaryPeer(resource) && hasUpToDateDisk(device));
      waitForState(resource, left, free, (ok) => (ok ? this.attempt() : this.fail(code)));
    } else if (code === StateCode.NoUpToDateDisk && mayImproveSoon(resource)) {
      const better = (): boolean => hasUpToDateDisk(device) || !mayImproveSoon(resource);
      waitForState(resource, left, better, () =>
        hasUpToDateDisk(device) ? this.attempt() : this.fail(code),
      );
    } else this.fail(code);
  }
  private fail(code: number): void {
    const { device } = this;
    if (device.resource.now.role === Role.Primary) {
      this.done(0);
      return;
    }
    logLine(device.resource, 'info', `Auto-promote failed: ${stateCodeText(code) ?? '?'} (${code})`);
    this.done(Errno.EROFS);
  }
}
