/** Transitions that no caller may impose (engine.md 2.4). */
import { ConnectionState, DiskState } from '../../control/contract/states';
import { StateCode } from '../../control/contract/codes';
import { type StateChange } from './state-change';

function linkRule(from: ConnectionState, to: ConnectionState): StateCode {
  if (from === to) return StateCode.Success;
  if (from === ConnectionState.StandAlone) {
    if (to === ConnectionState.Disconnecting) return StateCode.AlreadyStandAlone;
    return to === ConnectionState.Unconnected ? StateCode.Success : StateCode.NeedConnection;
  }
  if (from >= ConnectionState.Timeout && from <= ConnectionState.TearDown) {
    return to === ConnectionState.Unconnected || to === ConnectionState.Disconnecting
      ? StateCode.Success
      : StateCode.InTransientState;
  }
  if (from === ConnectionState.Disconnecting && to !== ConnectionState.StandAlone) {
    return StateCode.InTransientState;
  }
  return StateCode.Success;
}

export function checkHardRules(change: StateChange): StateCode {
  for (const link of change.links) {
    const code = linkRule(link.old.cstate, link.new.cstate);
    if (code < StateCode.Success) return code;
  }
  for (const node of change.devices) {
    if (
      node.old.disk === DiskState.Diskless &&
      (node.new.disk === DiskState.Failed || node.new.disk === DiskState.Detaching)
    ) {
      return StateCode.IsDiskless;
    }
  }
  return StateCode.Success;
}
