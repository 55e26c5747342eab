/** Puts the parts of an engine together. */
import { EnginePeerActions } from './connection/engine-peer-actions';
import { handlerTable } from './connection/handlers';
import { dataConnectionHandlers, dataVolumeHandlers } from './data/packet-handlers';
import { dataActions } from './data/data-actions';
import { Host, type HostSettings } from './host';
import { type EnginePorts } from './ports';

/** A DRBD host without resources. Requests enter by `handleRequest` (admin/handle-request.ts). */
export function createHost(ports: EnginePorts, settings: HostSettings): Host {
  const peerActions = new EnginePeerActions();
  const host = new Host(ports, settings, peerActions, dataActions);
  peerActions.bind(host, handlerTable({ connection: dataConnectionHandlers, volume: dataVolumeHandlers }));
  return host;
}
