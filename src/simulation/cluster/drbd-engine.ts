import { type ControlReply, type ControlRequest } from '../../control/contract/requests';
import { type DiskState, Role, DiskState as Disk } from '../../control/contract/states';
import { handleRequest } from '../../engine/admin/handle-request';
import { type ExportListener } from '../../engine/application-io';
import { createHost } from '../../engine/create-host';
import { type Host } from '../../engine/host';
import { type Resource } from '../../engine/objects';
import { type EnginePorts } from '../../engine/ports';
import { type EngineDoor, type PeerView } from './engine-door';
import { resourceName } from './requests';

/** The real engine, with the one resource of the simulation. */
class DrbdEngine implements EngineDoor {
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
    return this.resource?.devices[0]?.now.disk ?? Disk.Diskless;
  }
  get hasDisk(): boolean {
    return this.disk !== Disk.Diskless;
  }
  peer(nodeId: number): PeerView | undefined {
    const connection = this.resource?.connectionTo(nodeId);
    const peerDevice = connection?.peerDevices[0];
    if (connection === undefined || peerDevice === undefined) return undefined;
    const { host } = this;
    return {
      cstate: connection.now.cstate,
      repl: peerDevice.now.repl,
      pdsk: peerDevice.now.pdsk,
      get outOfSyncBits() {
        return host.dataActions.outOfSyncBits(peerDevice);
      },
    };
  }
  get transferLogIsEmpty(): boolean {
    const { resource } = this;
    return resource === undefined || !this.host.dataActions.hasWritesInTransferLog(resource);
  }
}

export function drbdEngine(ports: EnginePorts, nodeName: string, exportListener: ExportListener): EngineDoor {
  return new DrbdEngine(createHost(ports, { nodeName, exportListener }));
}
