import {
  type DiskOptions,
  type NetOptions,
  type PeerDeviceOptions,
  type ResourceOptions,
} from '../../options/option-values';
import { type RandomStream } from '../world/random-stream';

/** How the cluster of one run is configured. */
export interface ClusterSettings {
  readonly hosts: number;
  /** Sectors of the device. */
  readonly dataSectors: number;
  /** The disks hold different garbage at first; else zeros, and the initial sync is skipped. */
  readonly garbage: boolean;
  /** Sectors that applications write to; few, so that writes meet. */
  readonly hotSectors: readonly number[];
  readonly resource: ResourceOptions;
  readonly net: NetOptions;
  readonly disk: DiskOptions;
  readonly peerDevice: PeerDeviceOptions;
}

/** Sectors in 4 KiB. */
export const block = 8;

function hotSectors(random: RandomStream, dataSectors: number): number[] {
  const sectors: number[] = [];
  const blocks = dataSectors / block;
  for (let area = random.between(1, 4); area > 0; area--) {
    const start = random.below(blocks);
    for (let i = random.between(2, 24); i > 0 && start + i < blocks; i--) sectors.push((start + i) * block);
  }
  return sectors.length > 0 ? sectors : [0];
}

export function randomSettings(random: RandomStream, hosts: number): ClusterSettings {
  // A whole number of bitmap words, or not.
  const dataSectors = random.pick([512, 1000, 2048]);
  return {
    hosts,
    dataSectors,
    garbage: true,
    hotSectors: hotSectors(random, dataSectors),
    resource: { 'auto-promote': random.chance(0.5) },
    net: {
      protocol: random.pick(['A', 'B', 'C', 'C', 'C'] as const),
      'ping-int': random.between(1, 10),
      'connect-int': random.between(1, 5),
      'ping-timeout': random.between(3, 10),
      timeout: random.between(10, 60),
      'max-epoch-size': random.pick([1, 4, 2048]),
      'verify-alg': 'crc32c',
      ...(random.chance(0.3) ? { 'cram-hmac-alg': 'sha1', 'shared-secret': 'secret' } : {}),
    },
    disk: { 'al-extents': 67, ...(random.chance(0.2) ? { 'md-flushes': true } : {}) },
    peerDevice: { 'resync-rate': 20000, 'c-min-rate': 0 },
  };
}
