/**
 * One DRBD host: the registry of its resources and minors, and the door for requests (design.md section 4).
 */
import { type ExportListener } from './application-io';
import { type DataActions, type PeerActions } from './actions';
import { type Device, type Resource } from './objects';
import { type EnginePorts } from './ports';

export interface HostSettings {
  /** `uname -n`, for messages. */
  readonly nodeName: string;
  readonly exportListener?: ExportListener;
}

export class Host {
  readonly resources = new Map<string, Resource>();
  readonly minors = new Map<number, Device>();

  constructor(
    readonly ports: EnginePorts,
    readonly settings: HostSettings,
    readonly peerActions: PeerActions,
    readonly dataActions: DataActions,
  ) {}
}
