import { type ResourceSnapshot } from '../../src/control/contract/snapshot';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../src/control/contract/states';
import {
  deviceDefaults,
  diskDefaults,
  netDefaults,
  peerDeviceDefaults,
  resourceDefaults,
} from '../../src/options/option-values';

const zero = '0000000000000000';

/** A resource with two volumes and two peers, everything UpToDate. */
export function sampleSnapshot(name: string): ResourceSnapshot {
  const volumes = [0, 1];
  return {
    name,
    nodeId: 0,
    drbd8Compat: false,
    options: resourceDefaults,
    info: {
      role: Role.Secondary,
      suspUser: false,
      suspNoData: false,
      suspFencing: false,
      suspQuorum: false,
      failIo: false,
    },
    statistics: { writeOrdering: 2 },
    devices: volumes.map((volume) => ({
      minor: volume,
      volume,
      disk: {
        backingDevice: `/dev/vg/${name}_${volume}`,
        metaDevice: `/dev/vg/${name}_${volume}`,
        metaIndex: -3,
        options: diskDefaults,
      },
      options: deviceDefaults,
      info: {
        disk: DiskState.UpToDate,
        intentionalDiskless: false,
        hasQuorum: true,
        open: false,
        backingDevice: `/dev/vg/${name}_${volume}`,
      },
      statistics: {
        size: 2097152,
        read: 2048,
        written: 4096,
        alWrites: 3,
        bmWrites: 5,
        upperPending: 0,
        lowerPending: 0,
        upperBlocked: false,
        lowerBlocked: false,
        alSuspended: false,
        exposedUuid: zero,
        currentUuid: '1122334455667788',
        diskFlags: 145,
        historyUuids: Array<string>(32).fill(zero),
      },
    })),
    connections: [1, 2].map((peerNodeId) => ({
      peerNodeId,
      name: `peer${peerNodeId}`,
      options: { ...netDefaults, _name: `peer${peerNodeId}` },
      info: { connection: ConnectionState.Connected, role: Role.Secondary },
      statistics: { congested: false, apInFlight: 0, rsInFlight: 0 },
      paths: [
        {
          local: { family: 'ipv4', host: '10.0.0.1', port: 7789 },
          remote: { family: 'ipv4', host: `10.0.0.${1 + peerNodeId}`, port: 7789 },
          established: true,
        },
      ],
      peerDevices: volumes.map((volume) => ({
        volume,
        options: peerDeviceDefaults,
        info: {
          replication: ReplicationState.Established,
          disk: DiskState.UpToDate,
          resyncSuspUser: false,
          resyncSuspPeer: false,
          resyncSuspDependency: false,
          resyncSuspMaxParallel: false,
          intentionalDiskless: false,
        },
        statistics: {
          received: 1000,
          sent: 2000,
          pending: 0,
          unacked: 0,
          outOfSync: 0,
          resyncFailed: 0,
          bitmapUuid: zero,
          flags: 17,
          rsTotal: 0,
          ovStartSector: 0,
          ovStopSector: 0,
          ovPosition: 0,
          ovLeft: 0,
          ovSkipped: 0,
          rsSameCsum: 0,
          rsDtStartMs: 0,
          rsPausedMs: 0,
          rsDt0Ms: 0,
          rsDb0Sectors: 0,
          rsDt1Ms: 0,
          rsDb1Sectors: 0,
          cSyncRate: 0,
          uuidFlags: 32,
        },
      })),
    })),
  };
}
