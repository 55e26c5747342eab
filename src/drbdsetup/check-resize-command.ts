// check-resize: remembers size and name of a disk with internal meta-data, so that drbdmeta finds the meta-data
// again after the disk was changed while DRBD was down (drbdsetup.md 2.3).
import fs from 'node:fs';
import path from 'node:path';
import { MetaIndex } from '../control/contract/states';
import { systemErrorText } from './build-request';
import { type Command, type Invocation } from './invocation';
import { CommandExit } from './io';
import { theDevice } from './query-commands';

/** Folder of the remembered sizes: a run directory of its own is a host of its own, with state of its own. */
function stateFolder({ io, directory }: Invocation): string {
  const isMachine = io.env.UDRBD_RUN_DIR === undefined && process.getuid?.() === 0;
  return isMachine ? '/var/lib/drbd' : path.join(directory, 'lib');
}

/** Size in bytes of a block device or file; throws CommandExit. */
function sizeOf(device: string): number {
  try {
    const descriptor = fs.openSync(device, 'r');
    try {
      const stat = fs.fstatSync(descriptor);
      return stat.isBlockDevice() ? blockDeviceSize(stat.rdev) : stat.size;
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    throw new CommandExit(1, `Could not open ${device}: ${systemErrorText(error)}.\n`);
  }
}

/** The kernel tells the size of a block device in sectors of 512 bytes. */
function blockDeviceSize(rdev: number): number {
  const major = (rdev >> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
  return Number(fs.readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'latin1')) * 512;
}

export const checkResize: Command = async (invocation) => {
  const { device } = await theDevice(invocation);
  const { disk } = device;
  if (disk === undefined) return 1;
  const file = path.join(stateFolder(invocation), `drbd-minor-${device.minor}.lkbd`);
  if (disk.metaIndex >= 0 || disk.metaIndex === MetaIndex.FlexExternal) {
    fs.rmSync(file, { force: true });
    return 0;
  }
  const line = `${sizeOf(disk.backingDevice)}\t${disk.backingDevice}\n`;
  const known = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  // drbdmeta may have added lines of its own: an unchanged entry is left alone.
  if (known.startsWith(line)) return 0;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.writeFileSync(file, line, { mode: 0o600 });
  } catch (error) {
    throw new CommandExit(1, `Could not open ${file}: ${systemErrorText(error)}.\n`);
  }
  return 0;
};
