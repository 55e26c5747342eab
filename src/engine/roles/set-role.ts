/** Promotion and demotion as a sequence of attempts (engine.md 8.1). */
import { isSuccess, StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { hasNode } from '../node-mask';
import { type Device, type Resource, wantsBitmap } from '../objects';
import { logLine } from '../state/object-log';
import { afterDeferred } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { type ChangePhase } from '../twopc/cluster-change';
import { changeClusterWide, type ChangeDone } from '../twopc/coordinator';
import { changeWord } from '../twopc/change-words';
import { type ClusterOutcome } from '../twopc/twopc-state';
import { afterDemotion, afterPromotion, tellPeers } from './after-role-change';
import { beforeDemotion } from './before-demotion';
import { openerTexts } from './opener-texts';

export interface RoleOptions {
  readonly force: boolean;
  /** `primary`, `secondary`, `down`, `COMM:PID auto-promote`, ... */
  readonly tag: string;
}
/** How a forced promotion bends the rules. */
export interface Forced {
  localUpToDate: boolean;
  outdatePeers: boolean;
  ignoreOpeners: boolean;
}
const MAX_ATTEMPTS = 4;

export function setRole(
  resource: Resource,
  role: typeof Role.Primary | typeof Role.Secondary,
  options: RoleOptions,
  done: ChangeDone,
): void {
  const change = new RoleChange(resource, role, options, done);
  if (role === Role.Primary) resource.host.peerActions.checkPeers(resource, () => change.whenSettled());
  else beforeDemotion(resource, () => change.attempt());
}

class RoleChange {
  private tries = 0;
  private waitedForPrimary = false;
  private fenced = false;
  private readonly forced: Forced = { localUpToDate: false, outdatePeers: false, ignoreOpeners: false };

  constructor(
    private readonly resource: Resource,
    private readonly role: typeof Role.Primary | typeof Role.Secondary,
    private readonly options: RoleOptions,
    private readonly done: ChangeDone,
  ) {}

  /** Nothing pending that may still give us, or take from us, UpToDate data; or out of patience. */
  whenSettled(): void {
    const { resource } = this;
    if (isSettled(resource)) return this.attempt();
    let waiting = true;
    const go = (): void => {
      if (!waiting) return;
      waiting = false;
      timer.cancel();
      handle.remove();
      this.attempt();
    };
    const patience = resource.options.autoPromoteTimeout * 100 + largestPingTimeout(resource);
    const timer = resource.host.ports.scheduler.after(patience, { onTimer: go });
    const handle = whenStateChanges(resource, () => {
      if (waiting && isSettled(resource)) go();
      return !waiting;
    });
  }

  attempt(): void {
    this.tries++;
    const { forced } = this;
    changeClusterWide(
      this.resource,
      {
        kind: 'change',
        options: {
          tag: this.options.tag,
          verbose: this.tries >= 3,
          fpLocalUpToDate: forced.localUpToDate,
          fpOutdatePeers: forced.outdatePeers,
          fsIgnOpeners: forced.ignoreOpeners,
        },
        volume: NO_VOLUME,
        target: undefined,
        edit: (phase, outcome) => this.edit(phase, outcome),
        word: () =>
          changeWord({
            role: this.role,
            ...(forced.localUpToDate && this.role === Role.Primary && { disk: DiskState.UpToDate }),
          }),
      },
      (code, infoTexts) => this.onResult(code, infoTexts),
    );
  }

  private edit(phase: ChangePhase, outcome: ClusterOutcome | undefined): void {
    const { resource, forced } = this;
    resource.next.role = this.role;
    if (this.role !== Role.Primary) return;
    for (const device of resource.devices) {
      if (forced.localUpToDate) forceUpToDate(device);
      for (const peerDevice of device.peerDevices) {
        if (peerDevice.next.pdsk !== DiskState.DUnknown || !wantsBitmap(peerDevice)) continue;
        const seen = phase === 'commit' && outcome && hasNode(outcome.reachable, peerDevice.peerNodeId);
        if (forced.outdatePeers || seen) peerDevice.next.pdsk = DiskState.Outdated;
      }
    }
  }

  private onResult(code: number, infoTexts: readonly string[]): void {
    if (isSuccess(code)) return this.succeeded(code, infoTexts);
    const { force } = this.options;
    const { forced } = this;
    if (code === StateCode.PrimaryNop && !this.fenced && this.role === Role.Primary) return this.fence();
    const again = this.tries < MAX_ATTEMPTS;
    if (force && again) {
      if (code === StateCode.NoUpToDateDisk && !forced.localUpToDate) {
        forced.localUpToDate = true;
        return this.attempt();
      }
      if (code === StateCode.DeviceInUse && !forced.ignoreOpeners) {
        logLine(this.resource, 'info', 'forced demotion');
        forced.ignoreOpeners = true;
        return this.attempt();
      }
      const outdate = code === StateCode.NoQuorum || code === StateCode.PrimaryNop;
      if (outdate && !forced.outdatePeers) {
        forced.outdatePeers = true;
        return this.attempt();
      }
    }
    if (code === StateCode.TwoPrimaries && !this.waitedForPrimary && this.role === Role.Primary) {
      this.waitedForPrimary = true;
      this.tries = 0;
      const wait = largestPingTimeout(this.resource);
      this.resource.host.ports.scheduler.after(wait, { onTimer: () => this.attempt() });
      return;
    }
    const held = code === StateCode.DeviceInUse && this.role === Role.Secondary;
    this.done(code, held ? [...infoTexts, ...openerTexts(this.resource)] : infoTexts);
  }

  private fence(): void {
    const { resource, options, forced } = this;
    this.fenced = true;
    resource.host.peerActions.fencePeers(resource, options.tag, (all) => {
      if (!all && options.force) {
        logLine(resource, 'warning', 'Forced into split brain situation!');
        forced.localUpToDate = true;
      }
      this.attempt();
    });
  }

  private succeeded(code: number, infoTexts: readonly string[]): void {
    const { resource, forced } = this;
    if (this.role === Role.Primary) {
      if (forced.localUpToDate) logLine(resource, 'warning', 'Forced to consider local data as UpToDate!');
      if (forced.outdatePeers) logLine(resource, 'warning', 'Forced to consider peers as Outdated!');
      if (code !== StateCode.NothingToDo) {
        // First what the change itself entails, then what the command does (engine.md 8.1).
        afterDeferred(resource, () =>
          afterPromotion(resource, forced.localUpToDate, () => this.finish(code, infoTexts)),
        );
        return;
      }
    } else if (code !== StateCode.NothingToDo) {
      afterDemotion(resource);
      afterDeferred(resource, () => tellPeers(resource, false));
    }
    this.finish(code, infoTexts);
  }
  private finish(code: number, infoTexts: readonly string[]): void {
    afterDeferred(this.resource, () => this.done(code, infoTexts));
  }
}

function forceUpToDate(device: Device): void {
  const { disk } = device.next;
  if (disk < DiskState.Inconsistent || disk >= DiskState.UpToDate) return;
  if (device.peerDevices.some((peer) => peer.next.pdsk === DiskState.UpToDate)) return;
  device.next.disk = DiskState.UpToDate;
  for (const peer of device.peerDevices) {
    const target =
      peer.now.repl === ReplicationState.SyncTarget || peer.now.repl === ReplicationState.PausedSyncT;
    if (target) peer.connection.next.cstate = ConnectionState.TearDown;
  }
}

function isSettled(resource: Resource): boolean {
  if (resource.tryBecomeUpToDatePending) return false;
  return !resource.devices.some(
    (device) =>
      device.now.disk === DiskState.Consistent ||
      device.peerDevices.some(
        (peer) =>
          peer.connection.now.cstate === ConnectionState.Connected && peer.now.pdsk === DiskState.Consistent,
      ),
  );
}
/** Milliseconds. */
function largestPingTimeout(resource: Resource): number {
  return resource.connections.reduce(
    (longest, connection) => Math.max(longest, connection.options.pingTimeout * 100),
    0,
  );
}
