import { type Rule } from './rule';

/** `volume N` in a connection needs that volume on both hosts (8.1, step 7). */
export const peerDeviceVolumes: Rule = {
  id: 'peer-devices',
  check: ({ config, report }) => {
    for (const resource of config.resources) {
      for (const connection of resource.made) {
        for (const device of connection.peerDevices) {
          for (const end of connection.paths[0]?.ends ?? []) {
            const host = end.host;
            if (host === undefined || host.kind === 'generated') continue;
            if (host.volumes.some((volume) => volume.vnr === device.vnr)) continue;
            report.error(
              'peer-device-volume',
              device.origin,
              `${device.origin.file}:${device.origin.line}: Resource ${resource.name}: There is a reference to a volume ` +
                `${device.vnr} that is not known in this resource on host ${host.names[0] ?? ''}`,
            );
          }
        }
      }
    }
  },
};
