// Progress of resync and verify, from the engine's counters (drbdsetup.md 6.1, 6.3).
import { type PeerDeviceStatistics } from '../control/contract/snapshot';
import { ReplicationState } from '../control/contract/states';

/** The real tool subtracts unsigned 64-bit numbers: a negative difference wraps around. */
function unsigned(difference: number): number {
  return difference < 0 ? 2 ** 64 + difference : difference;
}

/** Sectors left to synchronise or to verify. */
function sectorsLeft(statistics: PeerDeviceStatistics): number {
  return statistics.ovLeft !== 0
    ? statistics.ovLeft
    : unsigned(statistics.outOfSync - statistics.resyncFailed);
}

export function isSyncing(replication: number): boolean {
  return (
    replication === ReplicationState.SyncSource ||
    replication === ReplicationState.SyncTarget ||
    replication === ReplicationState.PausedSyncS ||
    replication === ReplicationState.PausedSyncT
  );
}

/** 100 * (1 - outOfSync / size), 0 without a size. */
export function percentInSync(outOfSync: number, deviceSize: number | undefined): number {
  return deviceSize === undefined || deviceSize === 0 ? 0 : 100 * (1 - outOfSync / deviceSize);
}

/** The number behind `done:`; undefined if there is none to show. */
export function percentDone(
  replication: number,
  statistics: PeerDeviceStatistics,
  deviceSize: number | undefined,
): number | undefined {
  const total = statistics.rsTotal;
  if (total === undefined) {
    return isSyncing(replication) ? percentInSync(statistics.outOfSync, deviceSize) : undefined;
  }
  return total === 0 ? undefined : (100 * unsigned(total - sectorsLeft(statistics))) / total;
}

export interface SyncRates {
  /** MiB/s. */
  readonly want: number;
  readonly dbdt: number;
  readonly dbdt0: number;
  readonly dbdt1: number;
  /** Seconds; undefined if nothing moves. */
  readonly eta: number | undefined;
}

const mebibytesPerSecond = (sectors: number, milliseconds: number): number =>
  ((sectors / (milliseconds === 0 ? 1 : milliseconds)) * 1000) / 2048;

/** Rates of a running resync or verify; call it only if `rsTotal` is known and not 0. */
export function syncRates(statistics: PeerDeviceStatistics): SyncRates {
  const { rsTotal = 0, rsDtStartMs, rsPausedMs, rsDb1Sectors, rsDt1Ms } = statistics;
  const left = sectorsLeft(statistics);
  return {
    want: statistics.cSyncRate / 1024,
    dbdt: mebibytesPerSecond(unsigned(rsTotal - left), rsDtStartMs - rsPausedMs),
    dbdt0: mebibytesPerSecond(statistics.rsDb0Sectors, statistics.rsDt0Ms),
    dbdt1: mebibytesPerSecond(rsDb1Sectors, rsDt1Ms),
    eta: rsDb1Sectors <= 0 ? undefined : (rsDt1Ms * 0.001 * left) / rsDb1Sectors,
  };
}
