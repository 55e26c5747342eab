/** Calls of the user-mode helper (engine.md 13.1). */
import { DiskState, connectionStateName, Role } from '../../control/contract/states';
import { Connection, Device, PeerDevice, type Resource } from '../objects';
import { logLine } from '../state/object-log';

type HelperObject = Connection | Device | PeerDevice;

export function runHelper(
  command: string,
  on: HelperObject,
  done: (exitCode: number) => void = () => undefined,
): void {
  const resource = on instanceof PeerDevice ? on.device.resource : on.resource;
  const { host } = resource;
  const { helpers, scheduler } = host.ports;
  if (helpers.program === 'disabled') {
    scheduler.soon({ run: () => done(0) });
    return;
  }
  const call = `helper command: ${helpers.program} ${command}`;
  logLine(on, 'info', call);
  host.notices.helperCalled(command, on);
  helpers.run(command, resource.name, environment(command, on, resource), {
    onHelperDone: (exitCode, rawStatus) => {
      if (exitCode === 0) logLine(on, 'info', `${call} exit code 0`);
      else logLine(on, 'warning', `${call} exit code ${exitCode} (0x${rawStatus.toString(16)})`);
      host.notices.helperReturned(command, on, rawStatus);
      done(exitCode);
    },
  });
}

function environment(command: string, on: HelperObject, resource: Resource): Record<string, string> {
  const env: Record<string, string> = {
    HOME: '/',
    TERM: 'linux',
    PATH: '/sbin:/usr/sbin:/bin:/usr/bin',
  };
  const connection = on instanceof PeerDevice ? on.connection : on instanceof Connection ? on : undefined;
  const device = on instanceof PeerDevice ? on.device : on instanceof Device ? on : undefined;
  if (device !== undefined) {
    env['DRBD_MINOR'] = String(device.minor);
    env['DRBD_VOLUME'] = String(device.vnr);
    if (device.backing) env['DRBD_BACKING_DEV'] = device.backing.dataDisk.path;
  }
  if (connection !== undefined) addConnection(env, connection);
  if (connection !== undefined && device === undefined) {
    for (const volume of resource.devices) {
      env[`DRBD_MINOR_${volume.vnr}`] = String(volume.minor);
      if (volume.backing) env[`DRBD_BACKING_DEV_${volume.vnr}`] = volume.backing.dataDisk.path;
    }
  }
  if (command.includes('fence')) env['UP_TO_DATE_NODES'] = upToDateNodes(resource);
  return env;
}

function addConnection(env: Record<string, string>, connection: Connection): void {
  const path = connection.paths[0];
  if (path !== undefined) {
    env['DRBD_MY_ADDRESS'] = path.local.host;
    env['DRBD_MY_AF'] = path.local.family;
    env['DRBD_PEER_ADDRESS'] = path.remote.host;
    env['DRBD_PEER_AF'] = path.remote.family;
  }
  env['DRBD_PEER_NODE_ID'] = String(connection.peerNodeId);
  env['DRBD_CSTATE'] = connectionStateName(connection.now.cstate);
}

function upToDateNodes(resource: Resource): string {
  let common = 0xffffffff;
  for (const device of resource.devices) {
    if (device.backing === undefined) continue;
    let mask = device.now.disk === DiskState.UpToDate ? 1 << resource.nodeId : 0;
    if (resource.now.role === Role.Primary) {
      for (const peer of device.peerDevices) {
        if (peer.now.pdsk === DiskState.UpToDate) mask |= 1 << peer.peerNodeId;
      }
    }
    if (mask !== 0) common &= mask;
  }
  return `0x${(common >>> 0).toString(16).toUpperCase().padStart(8, '0')}`;
}
