import { DiskState } from '../../control/contract/states';
import { type RandomStream } from '../world/random-stream';
import { type Cluster } from './cluster';
import { type ClusterNode } from './cluster-node';
import { randomNoQuorum } from './cluster-settings';
import {
  detachRequest,
  diskPath,
  forcedDetachRequest,
  invalidateRequest,
  optionRequests,
  peerDeviceRequest,
  resizeRequest,
  resourceOptionsRequest,
  resumeRequest,
  suspendRequest,
} from './requests';

/** What operators do now and then, and disks that fail: the deeds of the full mix. */
export class RareDeeds {
  constructor(
    private readonly cluster: Cluster,
    private readonly random: RandomStream,
  ) {}

  private anyIdle(): ClusterNode | undefined {
    const idle = this.cluster.aliveNodes.filter((node) => node.pending === 0 && !node.changingRole);
    return idle.length === 0 ? undefined : this.random.pick(idle);
  }
  private anyPeer(node: ClusterNode): ClusterNode {
    return this.random.pick(this.cluster.peersOf(node));
  }

  detach(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined || !node.diskIsUpToDate) return undefined;
    const forced = this.random.chance(0.2);
    node.run('detach', [forced ? forcedDetachRequest : detachRequest], () => undefined);
    if (forced) this.cluster.gaveUpDisk(node);
    return forced ? 'forced detach' : 'detach';
  }
  attach(): string | undefined {
    const node = this.anyIdle();
    if (node?.door === undefined || node.door.hasDisk || node.isDiskless) return undefined;
    node.attach();
    return 'attach';
  }
  /** Only where a peer holds the same: otherwise data would be given up. */
  invalidate(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined || node.isPrimary || node.isDiskless) return undefined;
    const source = this.cluster
      .peersOf(node)
      .find((peer) => !peer.isDiskless && node.seesInSync(peer) && peer.seesInSync(node));
    if (source === undefined) return undefined;
    node.run('invalidate', [invalidateRequest], this.cluster.invalidates(node));
    return 'invalidate';
  }
  /** The same for the other side's data. */
  invalidateRemote(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    const target = this.cluster
      .peersOf(node)
      .find((peer) => !peer.isPrimary && !peer.isDiskless && node.seesInSync(peer) && peer.seesInSync(node));
    if (target === undefined) return undefined;
    const request = peerDeviceRequest('invalidate-remote', target);
    node.run('invalidate-remote', [request], this.cluster.invalidates(target));
    return 'invalidate-remote';
  }
  /** An operator plays with what may be changed at any time. */
  changeOptions(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    const { random, cluster } = this;
    const { settings } = cluster;
    const changed = {
      ...settings,
      net: {
        'max-epoch-size': random.pick([1, 4, 2048]),
        'ping-int': random.between(1, 10),
        'max-buffers': random.pick([32, 2048]),
        'use-rle': random.chance(0.5),
      },
      disk: {
        'read-balancing': random.pick(['prefer-local', 'round-robin', 'least-pending'] as const),
      },
      peerDevice: { 'resync-rate': random.pick([100, 20000]), 'c-plan-ahead': random.pick([0, 20]) },
    };
    const request = random.pick(optionRequests(changed, this.anyPeer(node)));
    node.run('options', [request], () => undefined);
    return request.command;
  }
  /** Other rules of quorum, of which none lets two partitions write. */
  changeQuorum(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    const { random } = this;
    const options = random.chance(0.5)
      ? randomNoQuorum(random)
      : { quorum: random.pick(['majority', 'all'] as const) };
    node.run('resource-options', [resourceOptionsRequest(options)], () => undefined);
    return 'resource-options';
  }
  /** All volumes are extended; with some luck everybody is there to agree on the new size. */
  grow(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined || node.diskState <= DiskState.Failed) return undefined;
    if (this.random.chance(0.6)) {
      const bytes = this.random.between(1, 64) * 4096;
      for (const each of this.cluster.nodes) each.growDisk(bytes);
    }
    node.run('resize', [resizeRequest], () => undefined);
    return 'resize';
  }
  /** One disk is extended, whatever its host does at the moment; the operator leaves it to the next who looks. */
  growOne(): string | undefined {
    const node = this.random.pick(this.cluster.nodes);
    if (node.isDiskless) return undefined;
    node.growDisk(this.random.between(1, 64) * 4096);
    return 'one disk grows';
  }
  verify(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    const peer = this.anyPeer(node);
    if (!node.seesInSync(peer)) return undefined;
    node.run('verify', [peerDeviceRequest('verify', peer)], () => undefined);
    return 'verify';
  }
  pauseSync(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    node.run('pause-sync', [peerDeviceRequest('pause-sync', this.anyPeer(node))], () => undefined);
    return 'pause-sync';
  }
  resumeSync(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    node.run('resume-sync', [peerDeviceRequest('resume-sync', this.anyPeer(node))], () => undefined);
    return 'resume-sync';
  }
  suspend(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined || !node.isPrimary) return undefined;
    node.run('suspend-io', [suspendRequest], () => undefined);
    return 'suspend-io';
  }
  resume(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined || !node.isPrimary) return undefined;
    node.run('resume-io', [resumeRequest], () => undefined);
    return 'resume-io';
  }
  failingDisk(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    const faults = node.host.faults(diskPath);
    const kind = this.random.pick(['readError', 'writeError', 'flushError'] as const);
    faults[kind] = this.random.pick([0.02, 0.3, 1]);
    return `disk with ${kind}`;
  }
  mendDisk(): string | undefined {
    const broken = this.cluster.nodes.filter((node) => {
      const { readError, writeError, flushError, slowest } = node.host.faults(diskPath);
      return readError + writeError + flushError > 0 || slowest > 1;
    });
    if (broken.length === 0) return undefined;
    mendDisk(this.random.pick(broken));
    return 'disk mended';
  }
  slowDisk(): string | undefined {
    const node = this.anyIdle();
    if (node === undefined) return undefined;
    node.host.faults(diskPath).slowest = this.random.pick([5, 50]);
    return 'slow disk';
  }
}

export function mendDisk(node: ClusterNode): void {
  Object.assign(node.host.faults(diskPath), { readError: 0, writeError: 0, flushError: 0, slowest: 0.4 });
}
/** An operator paused the resync with that peer here, this one or the next: one that waits for its turn is not his. */
export const isPaused = (node: ClusterNode, peer: ClusterNode): boolean =>
  node.viewOf(peer)?.isPausedByUser === true;
