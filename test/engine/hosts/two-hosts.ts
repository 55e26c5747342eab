/** Two (or more) whole engines in a simulated world, driven by control requests as drbdadm sends them. */
import { type ControlReply, type ControlRequest } from '../../../src/control/contract/requests';
import { type ControlEvent } from '../../../src/control/contract/events';
import { DiskState, ReplicationState } from '../../../src/control/contract/states';
import { handleRequest } from '../../../src/engine/admin/handle-request';
import { createHost } from '../../../src/engine/create-host';
import { type ExportedDevice, type Opener } from '../../../src/engine/application-io';
import { type Host } from '../../../src/engine/host';
import { INDEX_INTERNAL } from '../../../src/metadata/layout';
import { applyActivityLog, createMetadata, diskSizeFor } from '../../../src/simulation/metadata-tool';
import { World } from '../../../src/simulation/world/world';

export const DATA_SECTORS = 32768;
const DISK = '/dev/sda';

export class TestHost {
  host: Host | undefined;
  device: ExportedDevice | undefined;
  readonly events: ControlEvent[] = [];
  readonly log: string[] = [];
  /** What its peers did wrong: kind and text. */
  readonly peerFaults: string[] = [];

  constructor(
    private readonly world: World,
    readonly name: string,
    readonly nodeId: number,
    readonly address: string,
  ) {
    const machine = world.addHost(name, [address]);
    machine.addDisk(DISK, diskSizeFor(DATA_SECTORS, 3));
    createMetadata({ medium: machine.medium(DISK), index: INDEX_INTERNAL }, 3);
  }
  get machine(): ReturnType<World['host']> {
    return this.world.host(this.name);
  }
  start(): void {
    applyActivityLog({ medium: this.machine.medium(DISK), index: INDEX_INTERNAL });
    const ports = this.machine.start();
    this.machine.input(() => {
      this.host = createHost(
        {
          ...ports,
          log: {
            write: (level, line) => void this.log.push(`${this.world.now().toFixed(1)} ${level} ${line}`),
          },
        },
        {
          nodeName: this.name,
          onPeerFault: ({ kind, text }) => void this.peerFaults.push(`${kind}: ${text}`),
          exportListener: {
            onDeviceAppeared: (device) => (this.device = device),
            onDeviceResized: () => undefined,
            onDeviceGone: () => (this.device = undefined),
          },
        },
      );
      this.host.subscribe((event) => this.events.push(event));
    });
  }
  get engine(): Host {
    if (this.host === undefined) throw new Error(`${this.name} is not started`);
    return this.host;
  }
  /** Lets time pass until the request is answered. */
  request(request: ControlRequest, patience = 60_000): ControlReply {
    let reply: ControlReply | undefined;
    this.machine.input(() => handleRequest(this.engine, request, (answer) => (reply = answer)));
    this.world.runUntil(() => reply !== undefined, patience, 1);
    if (reply === undefined) throw new Error(`${this.name}: no answer to ${request.command}`);
    return reply;
  }
  /** From within an input; the reply comes later. */
  sendOnly(request: ControlRequest, answered: (reply: ControlReply) => void): void {
    handleRequest(this.engine, request, answered);
  }
  must(request: ControlRequest): void {
    const reply = this.request(request);
    const ok = reply.code === 101 || (reply.code >= 1 && reply.code <= 4);
    if (!ok) throw new Error(`${this.name} ${request.command}: ${reply.code} ${reply.infoTexts.join('; ')}`);
  }
  /** As drbdadm does it; with `diskFirst` in the order of the Pacemaker agent. */
  up(peers: readonly TestHost[], net: object = {}, resource: object = {}, diskFirst = false): void {
    const r0 = { resource: 'r0' };
    this.must({ command: 'new-resource', ...r0, nodeId: this.nodeId, options: resource });
    this.must({ command: 'new-minor', ...r0, minor: 0, volume: 0, options: {} });
    if (diskFirst) this.attach();
    for (const peer of peers) {
      const on = { ...r0, peerNodeId: peer.nodeId };
      this.must({ command: 'new-peer', ...on, options: { _name: peer.name, ...net } });
      this.must({
        command: 'new-path',
        ...on,
        local: { family: 'ipv4', host: this.address, port: 7788 },
        remote: { family: 'ipv4', host: peer.address, port: 7788 },
      });
    }
    if (!diskFirst) this.attach();
    for (const peer of peers) this.connect(peer);
  }
  attach(): void {
    this.must({
      command: 'attach',
      minor: 0,
      backingDevice: DISK,
      metaDevice: DISK,
      metaIndex: INDEX_INTERNAL,
      options: {},
    });
  }
  /** What `drbdadm attach` does with a disk that was in use. */
  reattach(): void {
    applyActivityLog({ medium: this.machine.medium(DISK), index: INDEX_INTERNAL });
    this.attach();
  }
  connect(peer: TestHost): void {
    const { nodeId: peerNodeId } = peer;
    this.must({ command: 'connect', resource: 'r0', peerNodeId, tentative: false, discardMyData: false });
  }
  primary(force = false): void {
    this.must({ command: 'primary', resource: 'r0', force });
  }
  secondary(): void {
    this.must({ command: 'secondary', resource: 'r0', force: false });
  }
  get disk(): DiskState | undefined {
    return this.engine.minors.get(0)?.now.disk;
  }
  replication(peer: TestHost): ReplicationState | undefined {
    return this.engine.minors.get(0)?.peerDeviceOf(peer.nodeId)?.now.repl;
  }
  inSyncWith(peer: TestHost): boolean {
    const pd = this.engine.minors.get(0)?.peerDeviceOf(peer.nodeId);
    return (
      this.disk === DiskState.UpToDate &&
      pd?.now.repl === ReplicationState.Established &&
      pd.now.pdsk === DiskState.UpToDate
    );
  }
  open(write: boolean): Opener {
    let opened: Opener | undefined;
    let failed = 0;
    this.machine.input(() =>
      this.device?.open({ command: 'test', pid: 1 }, write, false, {
        onOpened: (opener) => (opened = opener),
        onOpenFailed: (error) => (failed = error),
      }),
    );
    this.world.runUntil(() => opened !== undefined || failed !== 0, 60_000, 1);
    if (opened === undefined) throw new Error(`${this.name}: open failed with ${failed}`);
    return opened;
  }
  write(opener: Opener, offset: number, bytes: Uint8Array): number {
    return this.io((done) => opener.write(offset, bytes, false, { onIoDone: done }));
  }
  read(opener: Opener, offset: number, length: number): Uint8Array {
    const into = new Uint8Array(length);
    const error = this.io((done) => opener.read(offset, into, { onIoDone: done }));
    if (error !== 0) throw new Error(`${this.name}: read failed with ${error}`);
    return into;
  }
  private io(start: (done: (error: number) => void) => void): number {
    let result: number | undefined;
    this.machine.input(() => start((error) => (result = error)));
    this.world.runUntil(() => result !== undefined, 60_000, 1);
    if (result === undefined) throw new Error(`${this.name}: I/O never ended`);
    return result;
  }
  contents(): Uint8Array {
    return this.machine.medium(DISK).readNow(0, DATA_SECTORS * 512);
  }
  kernelLog(): string {
    return this.log.join('\n');
  }
}

export function twoHosts(seed = 1): { world: World; a: TestHost; b: TestHost } {
  const world = new World(seed);
  const a = new TestHost(world, 'alpha', 0, '10.0.0.1');
  const b = new TestHost(world, 'bravo', 1, '10.0.0.2');
  a.start();
  b.start();
  return { world, a, b };
}
