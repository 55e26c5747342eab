/** What has to be done to the running volumes of a resource (drbdadm.md 11.2, step 1). */
import { type OptionList, type Volume } from '../config/model';
import { findOption } from '../options/catalogue';
import { sameValue } from '../options/value';
import { hasDisk } from './back-end-words';
import { sameOptions } from './compare-options';

export interface VolumeChange {
  readonly vnr: number;
  /** Undefined: runs, but is not configured. */
  readonly configured: Volume | undefined;
  readonly running: Volume | undefined;
  readonly newMinor: boolean;
  readonly detach: boolean;
  readonly deleteMinor: boolean;
  readonly attach: boolean;
  readonly resize: boolean;
  /** `early`: before new peers appear, because the bitmap is being switched on. */
  readonly diskOptions: 'no' | 'early' | 'late';
}

const unchanged = {
  newMinor: false,
  detach: false,
  deleteMinor: false,
  attach: false,
  resize: false,
  diskOptions: 'no',
} as const;

function settingOf(options: OptionList, name: string): string | undefined {
  return options.find((option) => option.name === name && !option.unknown)?.value;
}

function sizeDiffers(running: Volume, configured: Volume): boolean {
  const spec = findOption('attach', 'size');
  const was = settingOf(running.diskOptions, 'size') ?? '0';
  const wanted = settingOf(configured.diskOptions, 'size') ?? '0';
  return spec === undefined ? was !== wanted : !sameValue(spec, was, wanted);
}

function withoutSize(options: OptionList): OptionList {
  return options.filter((option) => option.name !== 'size');
}

function enablesBitmap(running: Volume, configured: Volume): boolean {
  const wanted = settingOf(configured.diskOptions, 'bitmap') ?? 'yes';
  return settingOf(running.diskOptions, 'bitmap') === 'no' && wanted === 'yes';
}

function diskDiffers(running: Volume, configured: Volume): boolean {
  if (running.disk !== configured.disk) return true;
  if (configured.disk === undefined) return false;
  return (running.metaDisk ?? 'internal') !== (configured.metaDisk ?? 'internal');
}

function compareVolume(running: Volume, configured: Volume): VolumeChange {
  const base = { ...unchanged, vnr: configured.vnr, configured, running };
  if (running.minor !== configured.minor) {
    return {
      ...base,
      newMinor: true,
      deleteMinor: true,
      detach: running.disk !== undefined,
      attach: hasDisk(configured),
    };
  }
  if (diskDiffers(running, configured))
    return { ...base, detach: running.disk !== undefined, attach: hasDisk(configured) };
  if (!hasDisk(configured)) return base;
  const same = sameOptions('attach', withoutSize(running.diskOptions), withoutSize(configured.diskOptions));
  const diskOptions = same ? 'no' : enablesBitmap(running, configured) ? 'early' : 'late';
  return { ...base, resize: sizeDiffers(running, configured), diskOptions };
}

/** `drbdsetup show` writes `disk none` for a volume without disk. */
function asRunning(volume: Volume): Volume {
  return volume.disk === 'none' ? { ...volume, disk: undefined, metaDisk: undefined } : volume;
}

/** One entry for every volume that runs or is configured, ascending by number. */
export function compareVolumes(
  shown: readonly Volume[],
  configured: readonly Volume[],
): readonly VolumeChange[] {
  const running = shown.map(asRunning);
  const numbers = new Set([...running, ...configured].map((volume) => volume.vnr));
  return [...numbers]
    .sort((a, b) => a - b)
    .map((vnr): VolumeChange => {
      const now = running.find((volume) => volume.vnr === vnr);
      const wanted = configured.find((volume) => volume.vnr === vnr);
      if (now !== undefined && wanted !== undefined) return compareVolume(now, wanted);
      const base = { ...unchanged, vnr, configured: wanted, running: now };
      if (wanted !== undefined) return { ...base, newMinor: true, attach: hasDisk(wanted) };
      return { ...base, detach: now?.disk !== undefined, deleteMinor: true };
    });
}
