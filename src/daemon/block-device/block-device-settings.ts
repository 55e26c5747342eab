/** Whether this host makes block devices, where, and why not. */
import fs from 'node:fs';
import { canReadInEventLoop } from './fuse-channel';
import { findProgram } from './run-program';

/** The run directory of the machine's own host: block devices are on by default only there. */
const OWN_HOST = '/run/udrbd';
const PROGRAMS = ['mount', 'umount', 'losetup', 'mknod'];

export interface BlockDeviceSettings {
  /** For device nodes and the directory `drbd` of links. */
  readonly deviceDirectory: string;
}
export type BlockDeviceChoice =
  | { readonly kind: 'on'; readonly settings: BlockDeviceSettings }
  /** `reason` is set if they would be on but for something that this machine lacks. */
  | { readonly kind: 'off'; readonly reason: string | undefined }
  /** They were asked for and cannot be had. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Bits of capabilities(7). */
const CAPABILITIES = [
  ['CAP_SYS_ADMIN', 21n],
  ['CAP_MKNOD', 27n],
] as const;

/**
 * Root of a container has only some of root's rights. `status` is /proc/self/status; what it does not say is taken as there.
 */
export function missingCapability(status: string): string | undefined {
  const effective = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  if (effective === undefined) return undefined;
  const bits = BigInt(`0x${effective}`);
  return CAPABILITIES.find(([, bit]) => ((bits >> bit) & 1n) === 0n)?.[0];
}

function ownStatus(): string {
  try {
    return fs.readFileSync('/proc/self/status', 'latin1');
  } catch {
    return '';
  }
}

/** What FUSE file and loop device need; undefined if everything is there. */
export function whatIsMissing(): string | undefined {
  if (process.geteuid?.() !== 0) return 'only root may make block devices';
  const capability = missingCapability(ownStatus());
  if (capability !== undefined) return `this process lacks the capability ${capability}`;
  for (const file of ['/dev/fuse', '/dev/loop-control'])
    if (!fs.existsSync(file)) return `${file} is not there`;
  const missing = PROGRAMS.find((name) => findProgram(name) === undefined);
  if (missing !== undefined) return `the program ${missing} is not installed`;
  return canReadInEventLoop() ? undefined : 'this Node.js cannot read /dev/fuse in its event loop';
}

/** `missing`: as `whatIsMissing` says. */
export function chooseBlockDevices(
  env: Readonly<Record<string, string | undefined>>,
  runDirectory: string,
  missing: () => string | undefined,
): BlockDeviceChoice {
  const wish = env.UDRBD_BLOCK_DEVICES ?? '';
  if (!['', 'yes', 'no'].includes(wish))
    return { kind: 'refused', reason: `UDRBD_BLOCK_DEVICES is '${wish}': neither 'yes' nor 'no'` };
  if (wish === 'no' || (wish === '' && runDirectory !== OWN_HOST)) return { kind: 'off', reason: undefined };
  const directory = env.UDRBD_DEVICE_DIR || '/dev';
  if (!directory.startsWith('/'))
    return { kind: 'refused', reason: `UDRBD_DEVICE_DIR is '${directory}': not a full path` };
  const lack = missing();
  if (lack === undefined)
    return { kind: 'on', settings: { deviceDirectory: directory.replace(/(?<=.)\/+$/, '') } };
  if (wish === '') return { kind: 'off', reason: lack };
  return { kind: 'refused', reason: `UDRBD_BLOCK_DEVICES=yes asks for block devices, but ${lack}` };
}
