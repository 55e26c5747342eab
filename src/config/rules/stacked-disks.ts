import { type HostDraft, type ResourceDraft } from '../drafts';
import { type Checking, hostNames, resourcePlace, type Rule } from './rule';

/** Device node of a volume: its name, or the default one. */
function deviceOf(host: HostDraft, vnr: number): string | undefined {
  const volume = host.volumes.find((candidate) => candidate.vnr === vnr);
  return volume === undefined ? undefined : (volume.deviceName ?? `/dev/drbd${volume.minor}`);
}

function compare({ report }: Checking, resource: ResourceDraft, host: HostDraft, lower: HostDraft): void {
  const place = `${resourcePlace(resource)}in resource ${resource.name}, on ${hostNames(host)}`;
  const isLocal = lower === host.lower?.me;
  const lowerName = isLocal ? (host.lower?.name ?? '') : hostNames(lower);
  const missing = host.volumes.filter((volume) => deviceOf(lower, volume.vnr) === undefined);
  for (const volume of missing) {
    report.error(
      'stacked-volumes',
      resource.origin,
      `${place} { ... }: volume ${volume.vnr} not defined on ${lowerName}`,
    );
  }
  for (const volume of isLocal ? [] : lower.volumes) {
    if (host.volumes.some((own) => own.vnr === volume.vnr)) continue;
    report.error(
      'stacked-volumes',
      resource.origin,
      `${place} { ... }: volume ${volume.vnr} missing (present on ${lowerName})`,
    );
  }
}

/** The backing disks of a stacked section are the devices of its lower resource (8.1, step 6). */
export const stackedDisks: Rule = {
  id: 'stacked-disks',
  check: (checking) => {
    for (const resource of checking.config.resources) {
      for (const host of resource.hosts) {
        if (host.kind !== 'stacked' || host.lower === undefined) continue;
        for (const lower of host.lower.hosts) compare(checking, resource, host, lower);
        const below = host.lower.me ?? host.lower.hosts[0];
        for (const volume of host.volumes) {
          volume.disk = below === undefined ? undefined : deviceOf(below, volume.vnr);
          volume.metaDisk = 'internal';
          volume.metaIndex = 'internal';
        }
      }
    }
  },
};
