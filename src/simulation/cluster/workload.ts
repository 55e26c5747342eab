import { ConnectionState } from '../../control/contract/states';
import { type RandomStream } from '../world/random-stream';
import { type StopKind } from '../world/simulated-host';
import { type Cluster } from './cluster';
import { type ClusterNode } from './cluster-node';
import { block, type Mix } from './cluster-settings';
import { RareDeeds } from './rare-deeds';
import { connectRequest, disconnectRequest, downRequest, roleRequest } from './requests';

const sectorBytes = 512;

type Deed = () => string | undefined;

/**
 * Random deeds of applications, operators and fate, one a step. The operator is careful: he only promotes a node that
 * holds everything that was ever acknowledged and knows every generation that was begun, as fencing or quorum would
 * make sure of. Deeds that make no sense at
 * the moment return undefined and another is drawn.
 */
export class Workload {
  private readonly deeds: (readonly [weight: number, deed: Deed])[];
  private readonly totalWeight: number;

  /** Of the step that is being done: to leave out one step does not change the others. */
  private random: RandomStream;

  constructor(
    private readonly cluster: Cluster,
    private readonly seeded: RandomStream,
    mix: Mix,
  ) {
    this.random = seeded;
    this.deeds = [
      [40, () => this.write()],
      [10, () => this.burst()],
      [10, () => this.read()],
      [6, () => this.flush()],
      [8, () => this.promote()],
      [2, () => this.demote()],
      [2, () => this.crash()],
      [2, () => this.crashInTheMiddle()],
      [8, () => this.restart()],
      [2, () => this.cut()],
      [4, () => this.heal()],
      [2, () => this.reset()],
      [1, () => this.slowLink()],
      [1, () => this.disconnect()],
      [3, () => this.connect()],
      [1, () => this.down()],
    ];
    if (mix !== 'basic') this.deeds.push(...this.rareDeeds());
    if (mix === 'grow') this.deeds.push([2, () => this.rare().grow()], [1, () => this.rare().growOne()]);
    if (mix === 'wide' || mix === 'quorum' || mix === 'grow') this.deeds.push(...this.widerDeeds());
    if (mix === 'quorum') this.deeds.push(...this.quorumDeeds());
    this.totalWeight = this.deeds.reduce((sum, [weight]) => sum + weight, 0);
  }

  private rare(): RareDeeds {
    return new RareDeeds(this.cluster, this.random);
  }
  private rareDeeds(): (readonly [weight: number, deed: Deed])[] {
    const rare = (): RareDeeds => this.rare();
    return [
      [1, () => rare().detach()],
      [4, () => rare().attach()],
      [0.5, () => rare().invalidate()],
      [1, () => rare().verify()],
      [0.5, () => rare().pauseSync()],
      [1.5, () => rare().resumeSync()],
      [0.5, () => rare().suspend()],
      [2, () => rare().resume()],
      [0.5, () => rare().failingDisk()],
      [2, () => rare().mendDisk()],
      [0.5, () => rare().slowDisk()],
    ];
  }

  /** What is lost comes back soon: without quorum nothing is written. */
  private quorumDeeds(): (readonly [weight: number, deed: Deed])[] {
    return [
      [1, () => this.rare().changeQuorum()],
      [24, () => this.restart()],
      [16, () => this.heal()],
      [9, () => this.connect()],
      [20, () => this.write()],
      [5, () => this.burst()],
    ];
  }
  private widerDeeds(): (readonly [weight: number, deed: Deed])[] {
    const rare = (): RareDeeds => this.rare();
    return [
      [1, () => rare().changeOptions()],
      [0.5, () => rare().invalidateRemote()],
    ];
  }

  /** Does something and lets some time pass. */
  step(number: number): void {
    this.random = this.seeded.split(`step ${number}`);
    for (let tries = 0; tries < 20; tries++) {
      const name = this.draw()();
      if (name === undefined) continue;
      this.cluster.histogram.count(`step: ${name}`);
      this.cluster.world.trace.line(() => `--- step ${number}: ${name}`);
      break;
    }
    this.cluster.world.run(this.pause());
  }
  private draw(): Deed {
    let at = this.random.fraction() * this.totalWeight;
    for (const [weight, deed] of this.deeds) {
      at -= weight;
      if (at < 0) return deed;
    }
    return () => undefined;
  }
  private pause(): number {
    const kind = this.random.fraction();
    if (kind < 0.7) return this.random.fraction() * 2;
    if (kind < 0.9) return this.random.fraction() * 30;
    if (kind < 0.985) return this.random.fraction() * 1000;
    return this.random.fraction() * 15000;
  }

  // --- applications

  private openApplication(): ClusterNode | undefined {
    if (this.cluster.settings.quorum) {
      const open = this.cluster.nodes.filter((node) => node.alive && node.application.isOpen);
      return open.length === 0 ? undefined : this.random.pick(open);
    }
    return this.cluster.nodes.find((node) => node.alive && node.application.isOpen);
  }
  private write(): string | undefined {
    const node = this.openApplication();
    if (node === undefined) return undefined;
    const { hotSectors } = this.cluster.settings;
    const dataSectors = this.sizeOf(node);
    let first = this.random.pick(hotSectors);
    let sectors = block * (this.random.chance(0.8) ? 1 : this.random.between(1, 16));
    if (this.random.chance(0.2)) {
      first += this.random.below(block);
      sectors = this.random.between(1, 2 * block);
    }
    if (this.cluster.settings.grows && this.random.chance(0.2)) {
      first = this.random.below(Math.floor(dataSectors / block)) * block;
    }
    sectors = Math.min(sectors, dataSectors - first);
    const kind = this.random.pick(['write', 'write', 'write', 'write', 'write-fua', 'discard'] as const);
    if (node.application.inFlight > 64) return undefined;
    return node.application.write(first, sectors, kind) ? kind : undefined;
  }
  /** Sectors of its device. */
  private sizeOf(node: ClusterNode): number {
    const { grows, dataSectors } = this.cluster.settings;
    return grows ? (node.exportedDevice?.size ?? 0) / sectorBytes : dataSectors;
  }
  private burst(): string | undefined {
    if (this.openApplication() === undefined) return undefined;
    for (let i = this.random.between(2, 12); i > 0; i--) this.write();
    return 'burst of writes';
  }
  private read(): string | undefined {
    const node = this.openApplication();
    if (node === undefined) return undefined;
    const first = this.random.pick(this.cluster.settings.hotSectors);
    const sectors = Math.min(this.random.between(1, 4 * block), this.cluster.settings.dataSectors - first);
    node.application.read(first, sectors);
    return 'read';
  }
  private flush(): string | undefined {
    const node = this.openApplication();
    node?.application.flush();
    return node === undefined ? undefined : 'flush';
  }

  // --- operators

  /** Whom an operator may promote who looks at all nodes, also at those that are down. */
  private fitForPromotion(): ClusterNode[] {
    const { cluster } = this;
    if (cluster.nodes.some((node) => node.isPrimary || node.changingRole || node.application.isBusy))
      return [];
    return cluster.aliveNodes.filter(
      (node) =>
        node.diskIsUpToDate &&
        node.pending === 0 &&
        cluster.positions.isNewest(node.name) &&
        cluster.peersOf(node).every((peer) => node.knowsGenerationOf(peer)),
    );
  }
  /** Whom he tries to promote if quorum keeps him from doing wrong. */
  private triedForPromotion(): ClusterNode[] {
    return this.cluster.aliveNodes.filter(
      (node) =>
        node.isWhole &&
        !node.isPrimary &&
        !node.changingRole &&
        !node.application.isBusy &&
        !node.application.isOpen &&
        node.pending === 0,
    );
  }
  private promote(): string | undefined {
    const { cluster } = this;
    const fit = cluster.settings.quorum ? this.triedForPromotion() : this.fitForPromotion();
    if (fit.length === 0) return undefined;
    const node = this.random.pick(fit);
    const device = node.exportedDevice;
    if (device === undefined) return undefined;
    if (cluster.settings.resource['auto-promote'] === true && this.random.chance(0.5)) {
      node.application.open(device);
      return 'open for writing';
    }
    node.changingRole = true;
    node.run('primary', [roleRequest('primary')], (reply) => {
      node.changingRole = false;
      if (reply !== undefined && node.isPrimary) node.application.open(device);
    });
    return 'promote';
  }
  private demote(): string | undefined {
    const node = this.openApplication();
    if (node === undefined || node.changingRole) return undefined;
    node.changingRole = true;
    node.application.close(() => {
      node.run('secondary', [roleRequest('secondary')], () => (node.changingRole = false));
    });
    return 'demote';
  }
  private twoNodes(): readonly [ClusterNode, ClusterNode] {
    const one = this.random.pick(this.cluster.nodes);
    return [one, this.random.pick(this.cluster.peersOf(one))];
  }
  private disconnect(): string | undefined {
    const [node, peer] = this.twoNodes();
    if (!node.alive || node.pending > 0) return undefined;
    node.run('disconnect', [disconnectRequest(peer)], () => undefined);
    return 'disconnect';
  }
  private connect(): string | undefined {
    const [node, peer] = this.twoNodes();
    if (node.pending > 0 || node.viewOf(peer)?.cstate !== ConnectionState.StandAlone) return undefined;
    node.run('connect', [connectRequest(peer)], () => undefined);
    return 'connect';
  }
  private down(): string | undefined {
    const node = this.random.pick(this.cluster.nodes);
    if (!node.alive || node.pending > 0 || node.isPrimary || node.application.isBusy) return undefined;
    node.run('down', [downRequest], () => node.stop('process-killed'));
    return 'down';
  }

  // --- fate

  private stopKind(): StopKind {
    return this.random.chance(0.7) ? 'power-lost' : 'process-killed';
  }
  private crash(): string | undefined {
    const alive = this.cluster.aliveNodes;
    if (alive.length === 0) return undefined;
    const kind = this.stopKind();
    this.random.pick(alive).stop(kind);
    return kind;
  }
  private crashInTheMiddle(): string | undefined {
    const alive = this.cluster.aliveNodes;
    if (alive.length === 0) return undefined;
    const kind = this.stopKind();
    this.random.pick(alive).host.crashSoon(this.random.between(1, 40), kind);
    return `${kind} in the middle of something`;
  }
  private restart(): string | undefined {
    const stopped = this.cluster.nodes.filter((node) => !node.alive);
    if (stopped.length === 0) return undefined;
    this.random.pick(stopped).start();
    return 'restart';
  }
  private cut(): string | undefined {
    const [one, two] = this.twoNodes();
    const { network } = this.cluster.world;
    network.blackhole(one.address, two.address);
    if (this.random.chance(0.3)) return 'half-open link';
    network.blackhole(two.address, one.address);
    return 'cut link';
  }
  private heal(): string | undefined {
    const { network } = this.cluster.world;
    const [one, two] = this.twoNodes();
    const links = [network.link(one.address, two.address), network.link(two.address, one.address)];
    if (!links.some((link) => link.blackholed || link.loss > 0)) return undefined;
    for (const link of links) {
      link.loss = 0;
      link.jitter = 0.3;
      network.heal(link.from, link.to);
    }
    return 'heal link';
  }
  private reset(): string | undefined {
    const [one, two] = this.twoNodes();
    this.cluster.world.network.resetStreams(one.address, two.address);
    return 'reset streams';
  }
  private slowLink(): string | undefined {
    const [one, two] = this.twoNodes();
    const link = this.cluster.world.network.link(one.address, two.address);
    link.jitter = this.random.between(5, 100);
    link.loss = this.random.pick([0, 0.02, 0.1]);
    return 'slow link';
  }
}
