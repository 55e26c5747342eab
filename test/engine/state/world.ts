/** Hand-built objects for tests of the state side: what other parts are asked to do is recorded, nothing happens. */
import { type DataActions, type PeerActions } from '../../../src/engine/actions';
import {
  deviceOptions,
  diskOptions,
  netOptions,
  peerDeviceOptions,
  resourceOptions,
} from '../../../src/engine/apply-options';
import { Host } from '../../../src/engine/host';
import { Connection, Device, PeerDevice, Resource } from '../../../src/engine/objects';
import { PeerLink } from '../../../src/engine/connection/peer-link';
import { ConnectionIo, DeviceIo, PeerDeviceIo, ResourceIo } from '../../../src/engine/data/io-state';
import { type BackingDevice } from '../../../src/engine/data/backing-device';
import { type EnginePorts, type Scheduler, type Task } from '../../../src/engine/ports';
import { logPrefix } from '../../../src/engine/state/object-log';
import { TransactionState } from '../../../src/engine/state/transaction-state';
import { ResourceTwopc } from '../../../src/engine/twopc/twopc-state';
import { type PeerUuids } from '../../../src/engine/uuid/peer-uuids';
import { freshSuperblock09 } from '../../../src/metadata/superblock-09';
import { PeerFlag } from '../../../src/metadata/superblock-flags';
import {
  type ConnectionState,
  type DiskState,
  type ReplicationState,
} from '../../../src/control/contract/states';

const noop = (): void => undefined;

export class World {
  /** What was asked of peers and data, as `name(object, ...)`. */
  readonly calls: string[] = [];
  readonly log: string[] = [];
  /** Out-of-sync bits by `VOLUME/PEER`. */
  readonly bits = new Map<string, number>();
  private readonly tasks: Task[] = [];
  time = 0;
  nextRandom = 0x1000n;
  readonly host: Host;

  constructor() {
    this.host = new Host(
      this.ports(),
      { nodeName: 'alpha' },
      this.recorder<PeerActions>(),
      this.recorder<DataActions>(),
    );
  }

  /** Runs everything that was put off. */
  settle(): void {
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task.run();
  }

  private ports(): EnginePorts {
    const scheduler: Scheduler = {
      now: () => this.time,
      wallClock: () => this.time,
      after: () => ({ cancel: noop }),
      soon: (task) => void this.tasks.push(task),
    };
    const refuse = (what: string) => (): never => {
      throw new Error(`${what} is not part of this world`);
    };
    return {
      scheduler,
      random: { fill: refuse('fill'), u64: () => (this.nextRandom += 0x1000n), below: () => 0 },
      disks: { open: refuse('disks') },
      network: { listen: refuse('network'), connect: refuse('network') },
      digests: { hash: () => undefined, hmac: () => undefined },
      helpers: { program: 'disabled', run: refuse('helpers') },
      log: { write: (level, line) => void this.log.push(level === 'info' ? line : `${level}: ${line}`) },
    };
  }

  /** An object of recorders: every method notes its name and arguments and returns what `answer` says. */
  private recorder<T extends object>(): T {
    const answer = (name: string, args: readonly unknown[]): unknown => {
      this.calls.push(
        `${name}(${args
          .map(describeArgument)
          .filter((text) => text !== '')
          .join(', ')})`,
      );
      for (const argument of args) {
        if (typeof argument === 'function') this.tasks.push({ run: () => void argument(0) });
      }
      return undefined;
    };
    const quiet = new Set([
      'outOfSyncBits',
      'slotBits',
      'stateCommitted',
      'hasWritesInTransferLog',
      'announceInSync',
    ]);
    return new Proxy({} as T, {
      get: (_target, property) => {
        const name = String(property);
        return (...args: unknown[]): unknown => {
          if (!quiet.has(name)) return answer(name, args);
          const [first] = args;
          if (name === 'outOfSyncBits' && first instanceof PeerDevice)
            return this.bits.get(`${first.device.vnr}/${first.connection.name}`) ?? 0;
          return name === 'slotBits' ? 0 : false;
        };
      },
    });
  }
}

function describeArgument(value: unknown): string {
  if (
    value instanceof Resource ||
    value instanceof Device ||
    value instanceof Connection ||
    value instanceof PeerDevice
  ) {
    return logPrefix(value).replace(/^drbd |: $/g, '');
  }
  if (typeof value === 'function' || value === undefined) return '';
  return typeof value === 'bigint' ? value.toString(16) : String(value);
}

/** Like T, but its readonly fields may be given at once. */
export interface Shape {
  /** Names of peers; node ids 1, 2, ... in this order. */
  readonly peers?: readonly string[];
  readonly volumes?: number;
  readonly resource?: Parameters<typeof resourceOptions>[0];
  readonly net?: Parameters<typeof netOptions>[0];
}

/** Resource `r0` on node 0. */
export function buildResource(world: World, shape: Shape = {}): Resource {
  const options = resourceOptions(shape.resource ?? {});
  const resource = new Resource(
    world.host,
    'r0',
    0,
    options,
    new TransactionState(),
    new ResourceTwopc(),
    new ResourceIo(),
  );
  world.host.resources.set('r0', resource);
  for (let vnr = 0; vnr < (shape.volumes ?? 1); vnr++) {
    const device = new Device(resource, vnr, vnr, deviceOptions({}), options.quorum === 0, new DeviceIo());
    resource.devices.push(device);
  }
  (shape.peers ?? ['bob']).forEach((name, index) => {
    const connection = new Connection(
      resource,
      index + 1,
      name,
      netOptions(shape.net ?? {}),
      new PeerLink(),
      new ConnectionIo(),
    );
    connection.agreedProtocol = 124;
    resource.connections.push(connection);
    for (const device of resource.devices) {
      const peerDevice = new PeerDevice(device, connection, peerDeviceOptions({}), new PeerDeviceIo());
      device.peerDevices.unshift(peerDevice);
      connection.peerDevices.push(peerDevice);
    }
  });
  return resource;
}

export const firstDevice = (resource: Resource, vnr = 0): Device => {
  const device = resource.volume(vnr);
  if (!device) throw new Error(`no volume ${vnr}`);
  return device;
};
export const connectionNamed = (resource: Resource, name: string): Connection => {
  const connection = resource.connections.find((candidate) => candidate.name === name);
  if (!connection) throw new Error(`no connection ${name}`);
  return connection;
};
export const peerDeviceNamed = (resource: Resource, name: string, vnr = 0): PeerDevice => {
  const peerDevice = connectionNamed(resource, name).peerDevice(vnr);
  if (!peerDevice) throw new Error(`no peer device ${name}/${vnr}`);
  return peerDevice;
};

/** Gives the device meta-data with a bitmap slot per configured peer. */
export function attachBacking(device: Device, disk: DiskState, currentUuid = 4n): BackingDevice {
  const superblock = freshSuperblock09(3);
  superblock.nodeId = device.resource.nodeId;
  superblock.currentUuid = currentUuid;
  for (const peerDevice of device.peerDevices) {
    const slot = superblock.peers[peerDevice.peerNodeId];
    if (!slot || !peerDevice.options.bitmap) continue;
    peerDevice.bitmapSlot = peerDevice.peerNodeId - 1;
    slot.bitmapIndex = peerDevice.bitmapSlot;
    slot.flags = (PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS | PeerFlag.DEVICE_SEEN) >>> 0;
  }
  const backing = { superblock } as unknown as BackingDevice;
  device.backing = backing;
  device.exposedUuid = currentUuid === 4n ? 0n : currentUuid;
  device.diskOptions = diskOptions({});
  device.now.disk = disk;
  device.next.disk = disk;
  return backing;
}

/** Puts a peer device and its connection into a committed state without a transaction. */
export function place(
  peerDevice: PeerDevice,
  cstate: ConnectionState,
  repl: ReplicationState,
  pdsk: DiskState,
): void {
  for (const side of ['now', 'next'] as const) {
    peerDevice.connection[side].cstate = cstate;
    if (cstate === 9) peerDevice.connection[side].peerRole = 2;
    peerDevice[side].repl = repl;
    peerDevice[side].pdsk = pdsk;
  }
}

export function peerUuids(currentUuid: bigint, flags = 0n): PeerUuids {
  return {
    currentUuid,
    bitmapUuids: new Array<bigint>(32).fill(0n),
    historyUuids: new Array<bigint>(32).fill(0n),
    dirtyBits: 0,
    flags,
    nodeMask: 0n,
    knownNodes: 0n,
  };
}
