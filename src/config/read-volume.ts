import { textOf, type Token } from '../language/tokens';
import {
  type DeviceNode,
  type DiskPathNode,
  type MetaDiskNode,
  type OptionsNode,
  type VolumeNode,
} from '../language/tree';
import { type HostDraft, insertVolume, newVolume, type VolumeDraft, type VolumeHolder } from './drafts';
import { type Origin } from './model';
import { bareInteger } from './read-address';
import { diskAlias, warnDiskAliases } from './legacy';
import { listedRules, readOptions } from './read-options';
import { lineOrigin, type Reading, statementOrigin, tokenOrigin } from './reading';
import { readSkip } from './read-skip';
import { isLocalName } from './host-names';
import { reportSyntaxError } from './syntax-errors';

/** Where a volume statement stands: in a resource (no host) or in a host section. */
export interface VolumeOwner {
  readonly holder: VolumeHolder;
  readonly host: HostDraft | undefined;
}

/** The volume that statements directly in a resource or host section mean (config-language.md 7.4). */
export function implicitVolume(reading: Reading, owner: VolumeOwner, token: Token): VolumeDraft {
  const { volumes } = owner.holder;
  const first = volumes[0];
  if (first === undefined) return insertVolume(owner.holder, newVolume(0, true));
  if (!first.implicit || volumes.length > 1) {
    const origin = statementOrigin(reading);
    reading.report.error(
      'mixed-volumes',
      origin,
      `${origin.display}:${origin.line}: mixing explicit and implicit volumes is not allowed`,
      { token },
    );
  }
  return first;
}

const DEVICE_PREFIX = '/dev/drbd';

function deviceNumber(name: string): number | undefined {
  const match = /^(?:\/dev\/drbd)?(\d+)$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function statementPlace(reading: Reading): { readonly origin: Origin; readonly place: string } {
  const origin = statementOrigin(reading);
  return { origin, place: `${origin.display}:${origin.line}: ` };
}

/** The checks of 7.4 on `device NAME [minor N];`; gives the minor number. */
function minorFor(reading: Reading, node: DeviceNode, name: string, local: boolean): number | undefined {
  if (local && !name.startsWith(DEVICE_PREFIX)) {
    const { origin, place } = statementPlace(reading);
    reading.report.error(
      'device-name',
      origin,
      `${place}device name must start with /dev/drbd\n\t(/dev/ is optional, but drbd is required)`,
      { token: node.name },
    );
  }
  if (!node.complete) return undefined;
  if (node.minor === undefined) {
    const minor = deviceNumber(name) ?? reading.minorOfDevice(name);
    if (minor === undefined) {
      const { origin, place } = statementPlace(reading);
      reading.report.error(
        'device-minor',
        origin,
        `${place}no minor given nor device name contains a minor number`,
        { token: node.name },
      );
    }
    return minor;
  }
  const minor = bareInteger(node.minor);
  if (local) checkMinorAgainstName(reading, node, name, minor);
  return minor;
}

function checkMinorAgainstName(reading: Reading, node: DeviceNode, name: string, minor: number): void {
  const rest = name.startsWith(DEVICE_PREFIX) ? name.slice(DEVICE_PREFIX.length) : undefined;
  if (rest === String(minor)) return;
  const isNumber = rest !== undefined && /^\d+$/.test(rest);
  if (isNumber && Number(rest) === minor) return;
  const { origin, place } = statementPlace(reading);
  if (isNumber) {
    reading.report.error(
      'device-minor',
      origin,
      `${place}explicit minor number must match with device name\n` +
        `\tTry "device /dev/drbd${minor} minor ${minor};",\n` +
        `\tor leave off either device name or explicit minor.\n` +
        `\tArbitrary device names must start with /dev/drbd_\n` +
        `\tmind the '_'! (/dev/ is optional, but drbd_ is required)`,
      { token: node.minor, suggestion: `device minor ${minor};` },
    );
  } else if (rest?.startsWith('_') === true) {
    reading.report.warn(
      'device-name',
      origin,
      `${place}arbitrary device names (/dev/drbd_...) are no longer generated from current udev rules.\n` +
        `\tYou may need to manually mknod ${name} b 147 ${minor}\n` +
        `\tYou should no longer use them.`,
      { token: node.name, suggestion: `device minor ${minor};` },
    );
  } else {
    reading.report.error(
      'device-name',
      origin,
      `${place}explicit device names should be of the form /dev/drbd<minor>`,
      { token: node.name, suggestion: `device minor ${minor};` },
    );
  }
}

/** Names matter on this host, and where no host is known; not directly in a stacked section. */
function namesAreChecked(volume: VolumeDraft, host: HostDraft | undefined, nodeName: string): boolean {
  if (host === undefined) return true;
  if (host.kind === 'stacked') return !volume.implicit;
  return host.names.some((own) => isLocalName(own, nodeName));
}

export function readDevice(
  reading: Reading,
  node: DeviceNode,
  volume: VolumeDraft,
  host: HostDraft | undefined,
): void {
  if (node.name === undefined && node.minor === undefined) return;
  volume.deviceOrigin = tokenOrigin(reading, node.keyword);
  if (node.name === undefined) {
    if (node.minor !== undefined) volume.minor = bareInteger(node.minor);
  } else {
    let name = textOf(node.name);
    if (!name.startsWith('/dev/') && name.startsWith('drbd')) name = `/dev/${name}`;
    const local = namesAreChecked(volume, host, reading.nodeName);
    volume.minor = minorFor(reading, node, name, local) ?? volume.minor;
    volume.deviceName = name;
  }
  volume.written.device = true;
  if (host?.kind === 'stacked') {
    volume.metaDisk = 'internal';
    volume.metaIndex = 'internal';
  }
  if (host !== undefined) claimDevice(reading, volume, host);
  volume.deviceStatement = statementOrigin(reading);
}

/** Conflicts of host-level statements show line 0: the real tool notes the line only afterwards (section 5). */
function claimDevice(reading: Reading, volume: VolumeDraft, host: HostDraft): void {
  if (host.kind === 'generated' || host.kind === 'this-host') return;
  const origin = lineOrigin(reading, 0);
  for (const name of host.names) {
    if (volume.minor !== undefined) {
      reading.keys.claimOfHost('device-minor', name, volume.minor, origin);
    }
    if (volume.deviceName !== undefined) {
      reading.keys.claimOfHost('device', name, volume.deviceName, origin);
    }
  }
}

/** `disk PATH;` directly in a resource records no line (config-language.md 5). */
export function readDiskPath(
  reading: Reading,
  node: DiskPathNode,
  volume: VolumeDraft,
  recorded = true,
): void {
  volume.disk = textOf(node.path);
  if (recorded) volume.diskStatement = statementOrigin(reading);
  volume.written.disk = true;
  volume.diskOrigin = tokenOrigin(reading, node.keyword);
}

export function readMetaDisk(reading: Reading, node: MetaDiskNode, volume: VolumeDraft): void {
  volume.metaDisk = textOf(node.path);
  volume.metaIndex =
    volume.metaDisk === 'internal'
      ? 'internal'
      : node.index === undefined
        ? 'flexible'
        : String(bareInteger(node.index));
  volume.written.metaDisk = true;
  volume.metaDiskOrigin = tokenOrigin(reading, node.keyword);
  volume.metaDiskStatement = statementOrigin(reading);
}

/** `disk {}` of a volume: the second one replaces only the disk options of the first (section 6). */
export function readVolumeOptions(reading: Reading, node: OptionsNode, volume: VolumeDraft): void {
  volume.diskOptions = [];
  volume.written.disk = true;
  warnDiskAliases(reading, node);
  readOptions(reading, node, {
    ...listedRules(
      [
        { context: 'attach', list: volume.diskOptions },
        { context: 'peer_device_options', list: volume.peerDeviceOptions },
        { context: 'device_options', list: volume.deviceOptions },
      ],
      'peer_device_options',
    ),
    section: 'disk',
    alias: diskAlias,
  });
  volume.diskStatement = statementOrigin(reading);
}

/** `volume N { }` in a resource or a host section. */
export function readVolume(reading: Reading, node: VolumeNode, owner: VolumeOwner): void {
  const volume = insertVolume(owner.holder, newVolume(bareInteger(node.number), false));
  for (const item of node.items) {
    switch (item.kind) {
      case 'options':
        readVolumeOptions(reading, item, volume);
        break;
      case 'disk-path':
        readDiskPath(reading, item, volume);
        break;
      case 'device':
        readDevice(reading, item, volume, owner.host);
        break;
      case 'meta-disk':
        readMetaDisk(reading, item, volume);
        break;
      case 'tiebreaker':
        volume.tiebreaker = textOf(item.value) === 'no' ? 'no' : 'yes';
        break;
      case 'skip':
        readSkip(reading, item);
        break;
      case 'error':
        reportSyntaxError(reading, item);
        break;
    }
  }
}
