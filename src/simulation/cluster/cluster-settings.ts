import {
  type DiskOptions,
  type NetOptions,
  type PeerDeviceOptions,
  type ResourceOptions,
} from '../../options/option-values';
import { RandomStream } from '../world/random-stream';

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
  /** Node ids of hosts that have no disk on purpose. */
  readonly diskless: ReadonlySet<number>;
  /** Quorum decides who may write: operators promote whoever the engine lets, without looking. */
  readonly quorum: boolean;
  /** Disks grow, and applications write to what is new. */
  readonly grows: boolean;
}
/**
 * `basic`: writes, roles, connections, crashes. `full`: also what operators rarely do and disks that fail. `wide`: also
 * changed options and invalidated peers. These do not change any more, so that the seeds of found bugs keep their
 * meaning. `quorum`: all that with quorum, diskless hosts and operators who rely on it. `grow`: `wide` with disks that
 * grow.
 */
export type Mix = 'basic' | 'full' | 'wide' | 'quorum' | 'grow';
export const mixes: readonly Mix[] = ['basic', 'full', 'wide', 'quorum', 'grow'];

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

/** How many hosts a run has if nobody says it: most have two, which are fastest. */
export function randomHosts(seed: number): number {
  const fraction = RandomStream.fromSeed(seed).split('hosts').fraction();
  if (fraction < 0.7) return 2;
  if (fraction < 0.88) return 3;
  return fraction < 0.96 ? 4 : 5;
}

export function randomSettings(random: RandomStream, hosts: number, mix: Mix): ClusterSettings {
  const plain = plainSettings(random, hosts);
  if (mix === 'grow') return { ...plain, grows: true };
  return mix === 'quorum' ? withQuorum(plain, random.split('quorum')) : plain;
}
/** Only protocol C promises that what was acknowledged is where the quorum is. */
function withQuorum(plain: ClusterSettings, random: RandomStream): ClusterSettings {
  const { hosts } = plain;
  const diskless = new Set<number>(hosts > 2 && random.chance(0.5) ? [hosts - 1] : []);
  const majority = ((hosts - diskless.size) >> 1) + 1;
  return {
    ...plain,
    garbage: random.chance(0.7),
    resource: {
      ...plain.resource,
      quorum: random.pick(['majority', 'majority', 'all', majority] as const),
      ...randomNoQuorum(random),
      'on-suspended-primary-outdated': random.pick(['disconnect', 'force-secondary'] as const),
    },
    net: { ...plain.net, protocol: 'C' },
    diskless,
    quorum: true,
  };
}
export function randomNoQuorum(random: RandomStream): Pick<ResourceOptions, 'on-no-quorum'> {
  return { 'on-no-quorum': random.pick(['io-error', 'suspend-io'] as const) };
}

function plainSettings(random: RandomStream, hosts: number): ClusterSettings {
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
    diskless: new Set(),
    quorum: false,
    grows: false,
  };
}
