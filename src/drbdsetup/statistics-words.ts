// `KEY:VALUE` words of the statistics, shared by status and events2 (drbdsetup.md 6.1, 8.2).
import {
  type ConnectionStatistics,
  type DeviceStatistics,
  type PeerDeviceStatistics,
} from '../control/contract/snapshot';
import { count32, count64, fixed, kib } from './number-text';
import { syncRates } from './sync-progress';

export function deviceWords(statistics: DeviceStatistics | undefined, verbose: boolean): readonly string[] {
  return [
    verbose ? `size:${kib(statistics?.size)}` : '',
    `read:${kib(statistics?.read)}`,
    `written:${kib(statistics?.written)}`,
    verbose ? `al-writes:${count64(statistics?.alWrites)}` : '',
    verbose ? `bm-writes:${count64(statistics?.bmWrites)}` : '',
    verbose ? `upper-pending:${count32(statistics?.upperPending)}` : '',
    verbose ? `lower-pending:${count32(statistics?.lowerPending)}` : '',
  ].filter((word) => word !== '');
}

/** Empty if the engine does not count what is in flight. */
export function inFlightWords(statistics: ConnectionStatistics | undefined): readonly string[] {
  if (statistics?.apInFlight === undefined) return [];
  return [`ap-in-flight:${statistics.apInFlight}`, `rs-in-flight:${count64(statistics.rsInFlight)}`];
}

function detailWords(statistics: PeerDeviceStatistics): readonly string[] {
  return [
    `rs-total:${count64(statistics.rsTotal)}`,
    `rs-dt-start-ms:${statistics.rsDtStartMs}`,
    `rs-paused-ms:${statistics.rsPausedMs}`,
    `rs-dt0-ms:${statistics.rsDt0Ms}`,
    `rs-db0-sectors:${statistics.rsDb0Sectors}`,
    `rs-dt1-ms:${statistics.rsDt1Ms}`,
    `rs-db1-sectors:${statistics.rsDb1Sectors}`,
    ...(statistics.ovLeft === 0
      ? [`rs-failed:${statistics.resyncFailed}`, `rs-same-csum:${statistics.rsSameCsum}`]
      : [
          `ov-start-sector:${statistics.ovStartSector}`,
          `ov-stop-sector:${statistics.ovStopSector}`,
          `ov-position:${statistics.ovPosition}`,
          `ov-left:${statistics.ovLeft}`,
          `ov-skipped:${statistics.ovSkipped}`,
        ]),
  ];
}

/** `verbosity` 0: what differs from the ordinary, 1: the usual figures, 2: everything. */
export function peerDeviceWords(
  statistics: PeerDeviceStatistics | undefined,
  verbosity: number,
): readonly string[] {
  const words = [`received:${kib(statistics?.received)}`, `sent:${kib(statistics?.sent)}`];
  if (verbosity > 0 || statistics?.outOfSync !== 0) words.push(`out-of-sync:${kib(statistics?.outOfSync)}`);
  if (verbosity === 0) return words;
  words.push(`pending:${count32(statistics?.pending)}`, `unacked:${count32(statistics?.unacked)}`);
  if (!statistics?.rsTotal) return words;
  const rates = syncRates(statistics);
  if (verbosity > 1) {
    words.push(...detailWords(statistics));
    if (rates.want !== 0) words.push(`want:${fixed(rates.want, 2)}`);
    words.push(`dbdt:${fixed(rates.dbdt, 2)}`, `dbdt0:${fixed(rates.dbdt0, 2)}`);
  }
  words.push(
    `dbdt1:${fixed(rates.dbdt1, 2)}`,
    `eta:${rates.eta === undefined ? 'nan' : fixed(rates.eta, 0)}`,
  );
  return words;
}
