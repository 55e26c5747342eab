import {
  ConnectionState,
  connectionStateName,
  diskStateName,
  ReplicationState,
  replicationStateName,
  roleName,
} from '../../control/contract/states';
import { RandomStream } from '../world/random-stream';
import { World } from '../world/world';
import { Cluster } from './cluster';
import { type ClusterNode } from './cluster-node';
import { type Mix, randomSettings } from './cluster-settings';
import { type EngineFactory } from './engine-door';
import { type Histogram } from './histogram';
import { compareMedia, judgeMedium, judgeMetadata } from './judge-disks';
import {
  clearBitmapRequest,
  connectRequest,
  disconnectRequest,
  peerDeviceRequest,
  resourceOptionsRequest,
  resumeRequest,
  roleRequest,
} from './requests';
import { Violation } from './violation';
import { Workload } from './workload';
import { isPaused, mendDisk } from './rare-deeds';

export interface RunOptions {
  readonly seed: number;
  readonly hosts: number;
  readonly steps: number;
  readonly mix: Mix;
  /** Only these steps are done. */
  readonly only?: ReadonlySet<number>;
  readonly traceSink?: (line: string) => void;
}
export interface RunResult {
  readonly histogram: Histogram;
  readonly traceHash: string;
  /** Simulated milliseconds. */
  readonly simulated: number;
  readonly events: number;
  /** Undefined: passed. */
  readonly failure: string | undefined;
}

/** Simulated milliseconds until a cluster without faults must have come to rest. */
const timeToRest = 120_000;

/** One history: bring up, initial sync, random deeds, rest, judgement. */
export function runSeed(options: RunOptions, makeEngine: EngineFactory): RunResult {
  const world = new World(options.seed, options.traceSink);
  const random = RandomStream.fromSeed(options.seed).split('workload');
  const settings = randomSettings(random.split('settings'), options.hosts, options.mix);
  const cluster = new Cluster(world, settings, makeEngine);
  let failure: string | undefined;
  try {
    bringUp(cluster);
    const workload = new Workload(cluster, random, options.mix);
    for (let step = 0; step < options.steps; step++) {
      if (options.only?.has(step) !== false) workload.step(step);
    }
    comeToRest(cluster);
    judgeAtRest(cluster);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    failure = error instanceof Violation ? error.message : (error.stack ?? error.message);
    world.trace.line(() => `FAILED: ${failure ?? ''}`);
  }
  return {
    histogram: cluster.histogram,
    traceHash: world.trace.hash,
    simulated: world.now(),
    events: world.eventCount,
    failure,
  };
}

function bringUp(cluster: Cluster): void {
  const [first] = cluster.nodes;
  if (first === undefined) throw new Violation('a cluster without nodes');
  for (const node of cluster.nodes) node.start();
  waitFor(cluster, 'all nodes to be up', () =>
    cluster.nodes.every((node) => node.pending === 0 && node.door?.hasDisk === !node.isDiskless),
  );
  if (cluster.settings.quorum) waitFor(cluster, 'all connections', () => allConnected(cluster));
  if (!cluster.settings.garbage) {
    // All disks read as zeros: there is nothing to sync.
    first.run('new-current-uuid', [clearBitmapRequest], () => undefined);
    waitFor(cluster, 'the first generation', () => allInSync(cluster));
    return;
  }
  first.run('primary', [roleRequest('primary', true)], () => undefined);
  waitFor(cluster, 'the first promotion', () => first.isPrimary && first.pending === 0);
  waitFor(cluster, 'the initial sync', () => allInSync(cluster));
  first.run('secondary', [roleRequest('secondary')], () => undefined);
  waitFor(cluster, 'the first demotion', () => !first.isPrimary && first.pending === 0);
}

function allConnected(cluster: Cluster): boolean {
  return cluster.nodes.every((node) =>
    cluster.peersOf(node).every((peer) => node.viewOf(peer)?.repl === ReplicationState.Established),
  );
}
function allInSync(cluster: Cluster): boolean {
  return cluster.nodes.every((node) => cluster.peersOf(node).every((peer) => node.seesInSync(peer)));
}
function waitFor(cluster: Cluster, what: string, condition: () => boolean): void {
  if (cluster.world.runUntil(condition, timeToRest, 5)) return;
  const states = cluster.nodes.map((node) => describe(cluster, node)).join('; ');
  throw new Violation(`still waiting for ${what} after ${timeToRest / 1000} s: ${states}`);
}
function describe(cluster: Cluster, node: ClusterNode): string {
  const { door } = node;
  if (door === undefined) return `${node.name} is down`;
  const links = cluster.peersOf(node).map((peer) => {
    const view = node.viewOf(peer);
    if (view === undefined) return `no connection to ${peer.name}`;
    const states = [
      connectionStateName(view.cstate),
      replicationStateName(view.repl),
      diskStateName(view.pdsk),
    ];
    return `${peer.name} ${states.join('/')}`;
  });
  const waiting = `${node.pending} commands, ${node.application.inFlight} requests`;
  return `${node.name} ${roleName(door.role)} ${diskStateName(door.disk)} ${links.join(' ')} ${waiting}`;
}

/** No more faults: everything is healed, started and connected; then it must become quiet by itself. */
function comeToRest(cluster: Cluster): void {
  const { network } = cluster.world;
  for (const one of cluster.nodes) {
    for (const two of cluster.peersOf(one)) {
      const link = network.link(one.address, two.address);
      link.loss = 0;
      link.jitter = 0.3;
      network.heal(one.address, two.address);
    }
    if (one.alive) one.host.crashSoon(Infinity, 'power-lost');
    mendDisk(one);
  }
  cluster.world.run(100);
  for (const node of cluster.nodes) if (!node.alive) node.start();
  let demoting = false;
  const atPeace = (): boolean => {
    for (const node of cluster.aliveNodes) {
      if (demoting && node.isPrimary) demote(cluster, node);
      else mend(cluster, node);
    }
    // A `down` that was under way when the last fault had ended stops its host in the end.
    for (const node of cluster.nodes) if (!node.alive) node.start();
    return (
      allInSync(cluster) && cluster.nodes.every((node) => node.pending === 0 && !node.application.isBusy)
    );
  };
  // A Primary may be in the way of a resync (engine.md 5.9 step 9): then the operator gives that up.
  if (!cluster.world.runUntil(atPeace, 60_000, 5)) {
    cluster.histogram.count('all demoted for the sake of peace');
    demoting = true;
    cluster.world.runUntil(atPeace, 10_000, 5);
    forceNewest(cluster);
  }
  waitFor(cluster, 'peace', atPeace);
  // Barriers, peer acks and lazy writes of meta-data.
  cluster.world.run(20_000);
}
/** He has time: an attach that fails again and again may come in between. */
function demote(cluster: Cluster, node: ClusterNode): void {
  if (node.pending > 0) return;
  // Without a disk it waits for the data that it lost last (engine.md 9.1, code 150): with its role these are given up.
  const hasData = node.diskIsUpToDate || cluster.peersOf(node).some((peer) => node.seesUpToDate(peer));
  if (!hasData) cluster.positions.diverged = true;
  // Requests that a Primary without quorum will never get done are failed by force.
  if (cluster.settings.quorum && node.application.inFlight > 0) {
    node.run('secondary', [roleRequest('secondary', true)], () => undefined);
  } else node.application.close(() => node.run('secondary', [roleRequest('secondary')], () => undefined));
}
/**
 * Two disks that were lost at the same moment count each other as the better one and are both Outdated. An operator
 * who knows which holds everything says so. He takes any if they were synced while Outdated: a crashed Primary that had
 * given up its disk is the source under protocol A and B (engine.md 5.7 crashed-primary, 11.1 WAS_UP_TO_DATE).
 */
function forceNewest(cluster: Cluster): void {
  if (cluster.nodes.some((node) => node.diskIsUpToDate || node.pending > 0)) return;
  const newest =
    cluster.nodes.find(
      (node) =>
        cluster.positions.isNewest(node.name) &&
        cluster.peersOf(node).every((peer) => node.knowsGenerationOf(peer)),
    ) ?? anyOfOneGeneration(cluster);
  if (newest === undefined) return;
  cluster.histogram.count('all disks Outdated: one forced');
  const alone = cluster.peersOf(newest).map(disconnectRequest);
  const forced = [roleRequest('primary', true), roleRequest('secondary')];
  // A number of votes is not to be had alone, not even by force.
  const { quorum, resource } = cluster.settings;
  const unbound = quorum
    ? [resourceOptionsRequest({ quorum: 'off' }), ...forced, resourceOptionsRequest(resource)]
    : forced;
  newest.run('force', [...alone, ...unbound], () => undefined);
}
/**
 * Every disk is connected to every other and of one generation. What is marked nevertheless he cannot judge: then any disk is as good
 * as the next, and what the others hold is given up.
 */
function anyOfOneGeneration(cluster: Cluster): ClusterNode | undefined {
  const withDisks = cluster.nodes.filter((node) => !node.isDiskless);
  if (new Set(withDisks.map((node) => node.currentUuid ?? node.name)).size !== 1) return undefined;
  const views = withDisks.flatMap((node) =>
    withDisks.filter((peer) => peer !== node).map((peer) => node.viewOf(peer)),
  );
  if (!views.every((view) => view?.repl === ReplicationState.Established)) return undefined;
  if (views.some((view) => (view?.outOfSyncBits ?? 0) > 0)) cluster.positions.diverged = true;
  return withDisks[0];
}
/**
 * What an operator does who finds his node without a disk or standing alone. He connects first: a Primary may only attach
 * the data that it has lost last, or older data when a peer has these (engine.md 9.1, code 150).
 */
function mend(cluster: Cluster, node: ClusterNode): void {
  if (node.pending > 0 || node.door === undefined) return;
  const lacksDisk = !node.door.hasDisk && !node.isDiskless;
  if (lacksDisk && !cluster.peersOf(node).some((peer) => standsAlone(node, peer))) {
    node.attach();
    return;
  }
  if (node.door.suspendedByUser) {
    node.run('resume-io', [resumeRequest], () => undefined);
    return;
  }
  for (const peer of cluster.peersOf(node)) {
    if (!isPaused(node, peer)) continue;
    node.run('resume-sync', [peerDeviceRequest('resume-sync', peer)], () => undefined);
    return;
  }
  for (const peer of cluster.peersOf(node)) {
    if (!standsAlone(node, peer)) continue;
    node.run('connect', [connectRequest(peer)], () => undefined);
    return;
  }
}
const standsAlone = (node: ClusterNode, peer: ClusterNode): boolean =>
  node.viewOf(peer)?.cstate === ConnectionState.StandAlone;

function judgeAtRest(cluster: Cluster): void {
  // Nobody shall overlook how often the judge looked away.
  if (cluster.positions.diverged)
    cluster.histogram.count('contents only compared: the operator gave data up');
  const uuids = new Set<string>();
  for (const node of cluster.nodes) {
    for (const peer of cluster.peersOf(node)) {
      if (!node.seesInSync(peer)) throw new Violation(`does not stay at rest: ${describe(cluster, node)}`);
      const underWay = node.viewOf(peer)?.mostUnderWay ?? 0;
      if (underWay > 0)
        throw new Violation(`${node.name} counts ${underWay} under way with ${peer.name} at rest`);
    }
  }
  const sizes = new Set(cluster.nodes.map((node) => node.exportedDevice?.size));
  if (sizes.size > 1) throw new Violation(`sizes of the devices differ at rest: ${[...sizes].join(', ')}`);
  const withDisks = cluster.nodes.filter((node) => !node.isDiskless);
  for (const node of withDisks) {
    judgeMetadata(node, 'at rest');
    judgeMedium(cluster, node, cluster.positions.current(node.name), 'at rest');
    for (const peer of cluster.peersOf(node)) {
      const bits = node.viewOf(peer)?.outOfSyncBits ?? 0;
      if (bits > 0) throw new Violation(`${bits} bits are set on ${node.name} for ${peer.name} at rest`);
    }
    uuids.add(node.currentUuid ?? `none on ${node.name}`);
  }
  if (uuids.size > 1) throw new Violation(`current UUIDs differ at rest: ${[...uuids].join(', ')}`);
  for (const [i, one] of withDisks.entries()) {
    for (const two of withDisks.slice(i + 1)) compareMedia(cluster, one, two);
  }
}
