/** Deferred actions: what follows a committed change outside of its transaction, in order (engine.md 2.7). */
import { ConnectionState, DiskState, Role } from '../../control/contract/states';
import { type ChangeOptions } from './change-options';
import { clearAfterConnectWithoutResync, deferPeerDevice, type PeerOutlook } from './deferred-peer';
import { deferDevice } from './deferred-device';
import { hasAccessibleData } from './derived';
import { mayReturnToUpToDate } from './data-trust';
import { resumeAfterFencing } from './fencing-resume';
import { type DeviceChange, type LinkChange, type PeerDeviceChange, type StateChange } from './state-change';
import { resumeAfterUuid } from './suspended-uuid';
import { type Resource } from '../objects';

/** `changeState`, handed in because the pipeline is this module's caller. */
export type ChangeState = (
  resource: Resource,
  options: ChangeOptions,
  edit: (resource: Resource) => void,
) => number;

export function runDeferred(change: StateChange, changeState: ChangeState): void {
  const { resource } = change;
  resource.host.notices.stateChanged(change);
  const outlook = firstPass(change);
  for (const node of change.devices) {
    for (const peer of node.peers) deferPeerDevice(change, node, peer, outlook);
  }
  for (const node of change.devices) deferDevice(change, node);
  deferRoles(change);
  resource.host.dataActions.followFlushes(change);
  for (const link of change.links) deferLink(change, link, changeState);
  if (change.new.suspUuid && !change.old.suspUuid) resumeAfterUuid(resource, changeState);
  scheduleReturn(change, outlook.healed);
}

/** Steps 2 and 3. */
function firstPass(change: StateChange): PeerOutlook {
  const outlook: PeerOutlook = { tellOthers: new Set(), healed: false, lostData: false };
  // Who skipped the initial sync: the others are told, and so is everybody about the volumes that follow.
  let skipped: PeerDeviceChange | undefined;
  for (const node of change.devices) {
    for (const peer of node.peers) {
      if (skipsInitialSync(node, peer)) skipped = peer;
      clearAfterConnectWithoutResync(change, node, peer);
    }
    if (skipped === undefined) continue;
    for (const peer of node.peers) if (peer !== skipped) outlook.tellOthers.add(peer.peerDevice);
  }
  if (change.new.role === Role.Primary) {
    const lacks = (side: 'old' | 'new'): boolean =>
      change.devices.some((node) => !hasAccessibleData(node, side));
    const wasPrimary = change.old.role === Role.Primary;
    outlook.healed = wasPrimary && lacks('old') && !lacks('new');
    outlook.lostData = lacks('new') && !(wasPrimary && lacks('old'));
  }
  return outlook;
}

function skipsInitialSync(node: DeviceChange, peer: PeerDeviceChange): boolean {
  const { Inconsistent, UpToDate } = DiskState;
  return (
    node.old.disk === Inconsistent &&
    peer.old.pdsk === Inconsistent &&
    node.new.disk === UpToDate &&
    peer.new.pdsk === UpToDate
  );
}

/** Step 6, first line. */
function deferRoles(change: StateChange): void {
  if (change.old.role !== Role.Primary || change.new.role !== Role.Secondary) return;
  for (const { connection } of change.links) {
    if (connection.now.cstate === ConnectionState.Connected)
      connection.resource.host.peerActions.sendRole(connection);
  }
}

/** Step 6. */
function deferLink(change: StateChange, link: LinkChange, changeState: ChangeState): void {
  const { connection } = link;
  const { peerActions } = connection.resource.host;
  if (link.old.cstate === ConnectionState.StandAlone && link.new.cstate === ConnectionState.Unconnected) {
    peerActions.startReceiver(connection);
  }
  if (link.new.suspFencing) resumeAfterFencing(connection, changeState);
  if (connection.options.fencing !== 'dont-care' && becameUpToDate(change, link)) {
    peerActions.runHelper('unfence-peer', connection);
  }
}

/** The last volume became UpToDate on both sides. */
function becameUpToDate(change: StateChange, link: LinkChange): boolean {
  const all = (side: 'old' | 'new'): boolean =>
    change.devices.every((node: DeviceChange) => {
      const peer = node.peers.find((one) => one.peerDevice.connection === link.connection);
      return node[side].disk === DiskState.UpToDate && peer?.[side].pdsk === DiskState.UpToDate;
    });
  return change.devices.length > 0 && all('new') && !all('old');
}

/** Step 7. */
function scheduleReturn(change: StateChange, healed: boolean): void {
  const { resource } = change;
  const doubted = change.devices.some(
    (node) =>
      node.old.disk === DiskState.UpToDate &&
      node.new.disk === DiskState.Consistent &&
      mayReturnToUpToDate(node, 'new'),
  );
  if (!doubted && !healed) return;
  const kind = healed && resource.resumeHeldForOutdate ? 'primary-resume' : 'lost-peer';
  resource.host.peerActions.scheduleEmptyTransaction(resource, kind);
}
