/*
 * What a call of drbdmeta leaves to the next one for the same disk. drbdadm runs those that bring up a disk in its own
 * process, one after the other and under one lock (CallOrder): nobody may attach the minor or change its meta data in
 * between. Only a call that has said and written nothing leaves anything, so that the next one says what it says anyway.
 */
import { type BlockStore } from './block-store';
import { type WritableArea } from './meta-device';
import { type MetaData } from './open-meta-data';
import { type Tool } from './tool';

/** Meta data as it was found, with the device still open. */
export interface LeftOpen {
  readonly minor: number;
  readonly format: string;
  readonly deviceName: string;
  readonly index: number;
  readonly md: Omit<MetaData, 'device'>;
  readonly store: BlockStore;
  readonly shownFd: number;
  readonly area: WritableArea | undefined;
}

export class Handover {
  private unattached = -1;
  private left: LeftOpen | undefined;

  /** The daemon has said that this minor has no disk. */
  foundUnattached(minor: number): void {
    this.unattached = minor;
  }
  isUnattached(minor: number): boolean {
    return minor >= 0 && minor === this.unattached;
  }

  /** False if it cannot be left: the caller closes it. */
  leave({ minor, format, deviceName, index, options }: Tool, { device, ...md }: MetaData): boolean {
    if (this.left !== undefined || md.found !== 'valid' || device.changed) return false;
    if (md.superblockWritten || options.verbose > 0 || options.dryRun) return false;
    const { store, shownFd, area } = device;
    this.left = { minor, format, deviceName, index, md, store, shownFd, area };
    return true;
  }

  /** What was left by a call for the same meta data; it is the caller's to close then. */
  take(tool: Tool): LeftOpen | undefined {
    const { left } = this;
    if (left === undefined || tool.options.verbose > 0) return undefined;
    if (left.minor !== tool.minor || left.format !== tool.format) return undefined;
    if (left.deviceName !== tool.deviceName || left.index !== tool.index) return undefined;
    this.left = undefined;
    return left;
  }

  /** Closes what nobody has taken. */
  drop(): void {
    this.left?.store.close();
    this.left = undefined;
    this.unattached = -1;
  }
}
