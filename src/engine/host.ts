/**
 * One DRBD host: the registry of its resources and minors, and the door for requests (design.md section 4).
 */
import { type ControlRequest, type ControlReply } from '../control/contract/requests';
import { type ResourceSnapshot } from '../control/contract/snapshot';
import { type ExportedDevice, type ExportListener } from './application-io';
import { type DataActions, type PeerActions } from './actions';
import { type Device, type Resource } from './objects';
import { type PeerFault } from './peer-fault';
import { type EnginePorts } from './ports';
import { Notifier, type EventSubscriber } from './notify/notifier';
import { resourceSnapshot } from './notify/snapshot';
import { logLine } from './state/object-log';

export interface HostSettings {
  /** `uname -n`, for messages. */
  readonly nodeName: string;
  readonly exportListener?: ExportListener;
  /** Told of every packet that breaks the protocol: between hosts of this engine, a defect of one of the two. */
  readonly onPeerFault?: (fault: PeerFault) => void;
}

export class Host {
  readonly resources = new Map<string, Resource>();
  readonly minors = new Map<number, Device>();
  readonly notices = new Notifier();

  constructor(
    readonly ports: EnginePorts,
    readonly settings: HostSettings,
    readonly peerActions: PeerActions,
    readonly dataActions: DataActions,
  ) {}

  /** State of one resource, by name or by a minor of it, or of all in the order of their creation. */
  snapshots(scope?: string | { readonly minor: number }): ResourceSnapshot[] {
    if (scope === undefined) return [...this.resources.values()].map(resourceSnapshot);
    const resource =
      typeof scope === 'string' ? this.resources.get(scope) : this.minors.get(scope.minor)?.resource;
    return resource === undefined ? [] : [resourceSnapshot(resource)];
  }
  /** `subscriber` gets every event from now on; the returned function ends that. */
  subscribe(subscriber: EventSubscriber): () => void {
    return this.notices.subscribe(subscriber);
  }
  exported(device: Device): ExportedDevice {
    return this.dataActions.exportedDevice(device);
  }
  reportPeerFault(fault: PeerFault): void {
    logLine(fault.on, fault.level, fault.text);
    this.settings.onPeerFault?.(fault);
  }
  deviceResized(device: Device): void {
    this.settings.exportListener?.onDeviceResized(this.exported(device));
  }
}

export type RequestHandler = (
  host: Host,
  request: ControlRequest,
  answer: (reply: ControlReply) => void,
) => void;
