/** What a requester may not ask for (engine.md 2.5): the first rule that objects decides. */
import { StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { type ChangeOptions } from './change-options';
import { hasAccessibleData, isSyncTarget } from './derived';
import { checkPeerDeviceRules } from './peer-device-rules';
import { computeQuorum } from './quorum-view';
import { type DeviceChange, type LinkChange, type StateChange } from './state-change';

const OK = StateCode.Success;

export function checkSoftRules(change: StateChange, options: ChangeOptions): StateCode {
  const code = resourceRules(change);
  if (code < OK) return code;
  for (const link of change.links) {
    const linkCode = linkRules(change, link);
    if (linkCode < OK) return linkCode;
  }
  for (const node of change.devices) {
    const deviceCode = deviceRules(change, node, options);
    if (deviceCode < OK) return deviceCode;
    for (const peer of node.peers) {
      const peerCode = checkPeerDeviceRules(change, node, peer);
      if (peerCode < OK) return peerCode;
    }
  }
  return OK;
}

/** V1-V3. */
function resourceRules(change: StateChange): StateCode {
  if (change.old.role === change.new.role || change.new.role !== Role.Primary) return OK;
  for (const link of change.links) {
    if (!link.connection.options.allowTwoPrimaries && link.new.peerRole === Role.Primary) {
      return StateCode.TwoPrimaries;
    }
  }
  for (const node of change.devices) {
    for (const { peerDevice, old } of node.peers) {
      if (peerDevice.inHandshake && old.repl === ReplicationState.Off) return StateCode.InTransientState;
    }
  }
  if (change.old.role === Role.Secondary && change.new.failIo) return StateCode.DeviceInUse;
  return OK;
}

/** V4-V8. */
function linkRules(change: StateChange, link: LinkChange): StateCode {
  const from = link.old.cstate;
  const to = link.new.cstate;
  if (from !== to && to === ConnectionState.Disconnecting) {
    if (from === ConnectionState.StandAlone) return StateCode.AlreadyStandAlone;
  }
  if (to === ConnectionState.Connecting && from < ConnectionState.Unconnected) {
    return StateCode.NoNetConfig;
  }
  if (to === ConnectionState.Disconnecting && from === ConnectionState.Unconnected) {
    return StateCode.InTransientState;
  }
  const becomesPrimary = link.old.peerRole !== Role.Primary && link.new.peerRole === Role.Primary;
  if (becomesPrimary && !link.connection.options.allowTwoPrimaries) {
    if (change.new.role === Role.Primary) return StateCode.TwoPrimaries;
    const held = change.devices.some(({ device }) => device.openCount > 0 && !device.writable);
    if (!change.new.failIo && held) return StateCode.PrimaryReader;
  }
  return OK;
}

/** V9-V16. */
function deviceRules(change: StateChange, node: DeviceChange, options: ChangeOptions): StateCode {
  const { device } = node;
  const from = node.old.disk;
  const to = node.new.disk;
  const attaches = from < DiskState.Attaching && to === DiskState.Attaching;
  const detaches = from > DiskState.Detaching && to === DiskState.Detaching;
  if ((attaches || detaches) && node.peers.some(({ peerDevice }) => peerDevice.inHandshake)) {
    return StateCode.InTransientState;
  }
  if (
    change.old.role === Role.Primary &&
    change.new.role === Role.Secondary &&
    device.openCount > 0 &&
    device.writable &&
    options.fsIgnOpeners !== true
  ) {
    return StateCode.DeviceInUse;
  }
  if (from === DiskState.Diskless && to > DiskState.Attaching) return StateCode.IsDiskless;
  if (becomesOutdatedFromBelow(node)) return StateCode.LowerThanOutdated;
  return dataRules(change, node, options);
}

/** V12. */
function becomesOutdatedFromBelow(node: DeviceChange): boolean {
  const from = node.old.disk;
  if (node.new.disk !== DiskState.Outdated || from >= DiskState.Outdated) return false;
  if (from === DiskState.Attaching || from === DiskState.Negotiating) return false;
  return !node.peers.some(
    (peer) => isSyncTarget(peer.old.repl) && peer.new.repl === ReplicationState.Established,
  );
}

/** V13-V16. */
function dataRules(change: StateChange, node: DeviceChange, options: ChangeOptions): StateCode {
  const { device } = node;
  const hadData = hasAccessibleData(node, 'old');
  const hasData = hasAccessibleData(node, 'new');
  if (change.new.role === Role.Primary && !hasData && !(change.old.role === Role.Primary && !hadData)) {
    return StateCode.NoUpToDateDisk;
  }
  if (device.openCount > 0 && !device.writable && hadData && !hasData) return StateCode.NoUpToDateDisk;
  if (
    (change.old.role === Role.Secondary || node.old.haveQuorum) &&
    change.new.role === Role.Primary &&
    !node.new.haveQuorum
  ) {
    const { text } = computeQuorum(node, 'new');
    if (text !== '') options.infoTexts?.push(text);
    return StateCode.NoQuorum;
  }
  let negotiating = node.new.disk === DiskState.Negotiating ? 1 : 0;
  for (const peer of node.peers) if (peer.new.pdsk === DiskState.Negotiating) negotiating++;
  return negotiating > 1 ? StateCode.InTransientState : OK;
}
