import { type ControlReply, type ControlRequest } from '../../control/contract/requests';
import { type ConnectionState, DiskState, type ReplicationState, Role } from '../../control/contract/states';
import { handleRequest } from '../../engine/admin/handle-request';
import { createHost } from '../../engine/create-host';
import { type Host } from '../../engine/host';
import { type PeerDevice, type Resource } from '../../engine/objects';
import { type EngineDoor, type EngineFactory, type PeerView } from './engine-door';
import { resourceName } from './requests';

/** Asked after every event: one object a peer, no copies. */
class DrbdPeerView implements PeerView {
  constructor(
    private readonly host: Host,
    readonly peerDevice: PeerDevice,
  ) {}
  get cstate(): ConnectionState {
    return this.peerDevice.connection.now.cstate;
  }
  get repl(): ReplicationState {
    return this.peerDevice.now.repl;
  }
  get pdsk(): DiskState {
    return this.peerDevice.now.pdsk;
  }
  get isPausedByUser(): boolean {
    return this.peerDevice.now.resyncSuspUser;
  }
  get outOfSyncBits(): number {
    return this.host.dataActions.outOfSyncBits(this.peerDevice);
  }
  get leastUnderWay(): number {
    const { io, connection } = this.peerDevice;
    return Math.min(io.pending, io.unacked, connection.io.appInFlight, connection.io.resyncInFlight);
  }
  get mostUnderWay(): number {
    const { io, connection } = this.peerDevice;
    return Math.max(io.pending, io.unacked, connection.io.appInFlight, connection.io.resyncInFlight);
  }
}

/** The real engine, with the one resource of the simulation. */
class DrbdEngine implements EngineDoor {
  private readonly views = new Map<number, DrbdPeerView>();

  constructor(private readonly host: Host) {}

  request(request: ControlRequest, done: (reply: ControlReply) => void): void {
    handleRequest(this.host, request, done);
  }
  private get resource(): Resource | undefined {
    return this.host.resources.get(resourceName);
  }
  get role(): Role {
    return this.resource?.now.role ?? Role.Secondary;
  }
  get disk(): DiskState {
    return this.resource?.devices[0]?.now.disk ?? DiskState.Diskless;
  }
  get hasDisk(): boolean {
    return this.disk !== DiskState.Diskless;
  }
  peer(nodeId: number): PeerView | undefined {
    const connection = this.resource?.connectionTo(nodeId);
    const peerDevice = connection?.peerDevices[0];
    if (peerDevice === undefined) return undefined;
    const known = this.views.get(nodeId);
    if (known?.peerDevice === peerDevice) return known;
    const view = new DrbdPeerView(this.host, peerDevice);
    this.views.set(nodeId, view);
    return view;
  }
  get suspendedByUser(): boolean {
    return this.resource?.now.suspUser === true;
  }
  get transferLogIsEmpty(): boolean {
    const { resource } = this;
    return resource === undefined || !this.host.dataActions.hasWritesInTransferLog(resource);
  }
}

export const drbdEngine: EngineFactory = (ports, nodeName, exportListener, onPeerFault) =>
  new DrbdEngine(createHost(ports, { nodeName, exportListener, onPeerFault }));
