import { type HostDraft } from '../drafts';
import { compareVolumes } from './host-volumes';
import { hostNames, type Rule } from './rule';

/** Device node of a volume: its name, or the default one. */
function deviceOf(host: HostDraft, vnr: number): string | undefined {
  const volume = host.volumes.find((candidate) => candidate.vnr === vnr);
  return volume === undefined ? undefined : (volume.deviceName ?? `/dev/drbd${volume.minor}`);
}

/** The backing disks of a stacked section are the devices of its lower resource (8.1, step 6). */
export const stackedDisks: Rule = {
  id: 'stacked-disks',
  check: (checking) => {
    for (const resource of checking.config.resources) {
      if (resource.ignore) continue;
      for (const host of resource.hosts) {
        const below = host.lower;
        if (host.kind !== 'stacked' || below === undefined) continue;
        for (const lower of below.hosts) {
          // Volumes that only the local lower host has are tolerated (8.1).
          const isLocal = lower === below.me;
          compareVolumes(
            checking,
            resource,
            host,
            lower,
            () => (isLocal ? below.name : hostNames(lower)),
            isLocal,
          );
        }
        const me = below.me ?? below.hosts[0];
        for (const volume of host.volumes) {
          volume.disk = me === undefined ? undefined : deviceOf(me, volume.vnr);
          volume.metaDisk = 'internal';
          volume.metaIndex = 'internal';
        }
      }
    }
  },
};
