/** What an error of the local disk does (engine.md 9.3). */
import { DiskState } from '../../control/contract/states';
import { type Device } from '../objects';
import { Errno, type ErrnoCode } from '../ports';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';

/** The function that the kernel's log line names. */
export type ErrorPlace =
  | 'drbd_endio_read_sec_final'
  | 'drbd_endio_write_sec_final'
  | 'drbd_request_endio'
  | 'drbd_md_write'
  | '__al_write_transaction'
  | 'bm_rw_range'
  | 'one_flush_endio'
  | 'request_timer_fn';

/** `data`: a read or write of data, which the policy pass_on lets live; meta-data errors always detach. */
export function handleDiskError(device: Device, place: string, kind: 'data' | 'meta-data'): void {
  const policy = device.diskOptions?.onIoError ?? 'detach';
  if (device.now.disk <= DiskState.Failed) return;
  if (policy === 'pass_on' && kind === 'data') {
    logLine(device, 'error', `Local IO failed in ${place}.`);
    if (device.now.disk > DiskState.Inconsistent) changeLater(device, DiskState.Inconsistent);
    return;
  }
  changeLater(device, DiskState.Failed);
  logLine(device, 'error', `Local IO failed in ${place}. Detaching...`);
}

/** The disk cannot flush at all, which says nothing about its data. */
export const flushUnsupported = (error: ErrnoCode): boolean =>
  error === Errno.EOPNOTSUPP || error === Errno.EINVAL;

/**
 * A flush that fails may have dropped what was cached, and the next one would not say so: unlike the kernel, which
 * goes on, we give the disk up, whatever the policy (docs/differences.md).
 */
export function handleFlushError(device: Device, error: ErrnoCode): void {
  if (error !== 0 && !flushUnsupported(error)) handleDiskError(device, 'one_flush_endio', 'meta-data');
}

/** Disk errors may be noticed inside a transaction: the change is a task of its own if so. */
function changeLater(device: Device, disk: DiskState): void {
  const change = (): void => {
    if (device.now.disk <= disk) return;
    changeState(device.resource, { hard: true, tag: 'local-io-error' }, () => void (device.next.disk = disk));
  };
  if (device.resource.transaction.open) device.resource.host.ports.scheduler.soon({ run: change });
  else change();
}
