import { type HostDraft, insertVolume, newVolume, type ResourceDraft, type VolumeDraft } from '../drafts';
import { type Origin } from '../model';
import { type Checking, hostNames, resourcePlace, type Rule } from './rule';

const noOrigin = (host: HostDraft): Origin => ({ ...host.origin, line: 0 });

/** Copies what the host's volume lacks; what is copied must not be in use on that host (config-language.md 6). */
function copyVolume({ keys }: Checking, from: VolumeDraft, to: VolumeDraft, host: HostDraft): void {
  if (to.disk === undefined && from.disk !== undefined) {
    to.disk = from.disk;
    to.diskOrigin = from.diskOrigin;
    if (host.kind !== 'stacked') {
      for (const name of host.names) {
        keys.claimOfHost('disk', name, from.disk, to.diskStatement ?? noOrigin(host));
      }
    }
  }
  const deviceOrigin = to.deviceStatement ?? noOrigin(host);
  if (to.minor === undefined && from.minor !== undefined) {
    to.minor = from.minor;
    to.deviceOrigin = from.deviceOrigin;
    for (const name of host.names) keys.claimOfHost('device-minor', name, from.minor, deviceOrigin);
  }
  if (to.deviceName === undefined && from.deviceName !== undefined) {
    to.deviceName = from.deviceName;
    to.deviceOrigin = from.deviceOrigin;
    for (const name of host.names) keys.claimOfHost('device', name, from.deviceName, deviceOrigin);
  }
  if (to.metaDisk === undefined && from.metaDisk !== undefined) {
    to.metaDisk = from.metaDisk;
    to.metaIndex = from.metaIndex;
    to.metaDiskOrigin = from.metaDiskOrigin;
  }
}

/** A volume made for a host remembers the resource's statements; one that was written there does not. */
function newHostVolume(host: HostDraft, from: VolumeDraft): VolumeDraft {
  const volume = insertVolume(host, newVolume(from.vnr, from.implicit));
  volume.deviceStatement = from.deviceStatement;
  volume.diskStatement = from.diskStatement;
  volume.metaDiskStatement = from.metaDiskStatement;
  return volume;
}

function inheritVolumes(checking: Checking, resource: ResourceDraft, host: HostDraft): void {
  for (const from of resource.volumes) {
    const own = host.volumes.find((volume) => volume.vnr === from.vnr) ?? newHostVolume(host, from);
    copyVolume(checking, from, own, host);
  }
}

/** External meta data belongs to one volume of a host. */
function claimMetaDisks({ keys }: Checking, host: HostDraft): void {
  for (const volume of host.volumes) {
    if (volume.metaDisk === undefined || volume.metaDisk === 'internal') continue;
    for (const name of host.names) {
      const key = `${name}:${volume.metaDisk}[${volume.metaIndex ?? ''}]`;
      keys.claim('meta-disk', key, volume.metaDiskStatement ?? noOrigin(host));
    }
  }
}

function hostPlace(resource: ResourceDraft, host: HostDraft): string {
  const { file, line } = host.origin;
  return `${file}:${line}: in resource ${resource.name}, on ${hostNames(host)} { ... }: `;
}

function checkComplete({ report }: Checking, resource: ResourceDraft, host: HostDraft): void {
  let previous = -1;
  for (const volume of host.volumes) {
    if (volume.vnr <= previous) {
      report.complain(
        'unsorted-volumes',
        host.origin,
        `internal error: in ${resource.name}: unsorted volumes list`,
      );
    }
    previous = volume.vnr;
    if (volume.minor === undefined && volume.deviceName === undefined) {
      report.error('device-missing', host.origin, `${hostPlace(resource, host)}'device' keyword missing.`);
    }
    if (volume.disk === undefined && volume.metaDisk !== undefined) {
      report.error('disk-missing', host.origin, `${hostPlace(resource, host)}'disk' keyword missing.`);
    }
    if (volume.disk !== undefined && volume.metaDisk === undefined) {
      volume.metaDisk = 'internal';
      volume.metaIndex = 'internal';
    }
  }
}

function sameVolumes(a: HostDraft, b: HostDraft): boolean {
  if (a === b) return true;
  if (a.volumes.length !== b.volumes.length) return false;
  return a.volumes.every((volume, at) => {
    const other = b.volumes[at];
    return other !== undefined && volume.vnr === other.vnr && volume.implicit === other.implicit;
  });
}

/** Reports where the volumes of two hosts differ; `otherName` is how messages call the second one. */
export function compareVolumes(
  { report }: Checking,
  resource: ResourceDraft,
  first: HostDraft,
  other: HostDraft,
  otherName = (): string => hostNames(other),
  tolerateMissing = false,
): void {
  if (sameVolumes(first, other)) return;
  const start = (): string =>
    `${resourcePlace(resource)}in resource ${resource.name}, on ${hostNames(first)}`;
  const complain = (text: string): void => report.error('volume-sets', resource.origin, text);
  let a = 0;
  let b = 0;
  while (a < first.volumes.length || b < other.volumes.length) {
    const left = first.volumes[a];
    const right = other.volumes[b];
    if (left !== undefined && (right === undefined || left.vnr < right.vnr)) {
      complain(`${start()} { ... }: volume ${left.vnr} not defined on ${otherName()}`);
      a++;
    } else if (right !== undefined && (left === undefined || right.vnr < left.vnr)) {
      if (!tolerateMissing)
        complain(`${start()} { ... }: volume ${right.vnr} missing (present on ${otherName()})`);
      b++;
    } else {
      if (left !== undefined && right !== undefined && left.implicit !== right.implicit) {
        complain(
          `${start()} resp. ${otherName()}: volume ${left.vnr} must not be implicit on one but not the other`,
        );
      }
      a++;
      b++;
    }
  }
}

function checkMix({ report }: Checking, resource: ResourceDraft): void {
  const some = (test: (volume: VolumeDraft) => boolean): boolean =>
    resource.hosts.some((host) => host.volumes.some(test));
  if (!some((volume) => volume.implicit) || !some((volume) => volume.vnr !== 0)) return;
  report.error(
    'mixed-volumes',
    resource.origin,
    `${resourcePlace(resource)}in resource ${resource.name}: you must not mix implicit and explicit volumes`,
  );
}

/** Every host has the same, complete volumes (config-language.md 8.1, step 1). */
export const hostVolumes: Rule = {
  id: 'volumes',
  check: (checking) => {
    for (const resource of checking.config.resources) {
      for (const host of resource.hosts) {
        inheritVolumes(checking, resource, host);
        claimMetaDisks(checking, host);
        if (host.kind === 'on' || host.kind === 'floating') checkComplete(checking, resource, host);
      }
      const first = resource.hosts[0];
      if (first === undefined) continue;
      // The peers in `drbdsetup show` output have no volumes of their own.
      const written = resource.hosts.filter((host) => host.kind !== 'generated');
      for (const host of written) compareVolumes(checking, resource, first, host);
      checkMix(checking, resource);
    }
  },
};
