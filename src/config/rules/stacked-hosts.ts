import { type HostDraft, type ResourceDraft } from '../drafts';
import { type Origin } from '../model';
import { type UniqueKeys } from '../unique-keys';
import { resourcePlace, type Rule } from './rule';

/** The real tool forgets where these were written (config-language.md 5). */
const nowhere: Origin = { file: '', display: '(null)', line: 0 };

function claimDevices(keys: UniqueKeys, host: HostDraft): void {
  for (const name of host.names) {
    for (const volume of host.volumes) {
      if (volume.minor !== undefined) keys.claimOfHost('device-minor', name, volume.minor, nowhere);
      if (volume.deviceName !== undefined) keys.claimOfHost('device', name, volume.deviceName, nowhere);
    }
  }
}

/** A stacked section names an existing resource and has the names of all its hosts (8.1, step 2). */
export const stackedHosts: Rule = {
  id: 'stacked',
  check: ({ config, report, keys }) => {
    let byName: ReadonlyMap<string, ResourceDraft> | undefined;
    for (const resource of config.resources) {
      for (const host of resource.hosts) {
        if (host.lowerName === undefined) continue;
        byName ??= new Map(config.resources.map((lower) => [lower.name, lower]));
        host.lower = byName.get(host.lowerName);
        if (host.lower === undefined) {
          report.error(
            'stacked-unknown',
            resource.origin,
            `${resourcePlace(resource)}in resource ${resource.name}, referenced resource '${host.lowerName}' not defined.`,
          );
          continue;
        }
        host.names = host.lower.hosts.flatMap((lower) => (lower.kind === 'stacked' ? [] : lower.names));
        claimDevices(keys, host);
        const address = host.address;
        if (address === undefined || !/^127\.|^::1$/.test(address.address)) continue;
        for (const name of host.names) {
          keys.claim('IP', `${name}:${address.address}:${address.port}`, host.origin);
        }
      }
    }
  },
};
