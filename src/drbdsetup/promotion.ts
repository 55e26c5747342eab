// may_promote and promotion_score, which the tools compute, not the engine (drbdsetup.md 8.3).
import { DiskState, Role } from '../control/contract/states';
import { type ModelPeerDevice, type ModelResource } from './events2-model';

export interface Promotion {
  readonly mayPromote: boolean;
  readonly score: number;
}

/** The peer's data will not change under a resync (flag of its UUIDs); unknown flags count as all set. */
const STABLE = 0x20;
const diskStates: readonly number[] = [DiskState.UpToDate, DiskState.Consistent, DiskState.Inconsistent];

const isStable = ({ statistics }: ModelPeerDevice): boolean =>
  statistics === undefined || (statistics.uuidFlags & STABLE) !== 0;

export function promotionOf(resource: ModelResource): Promotion {
  const { devices, connections, info } = resource;
  const none = { mayPromote: false, score: 0 };
  if (devices.length === 0 || info.failIo || devices.some((device) => !device.info.hasQuorum)) return none;
  const views = devices.map((device) => {
    const peers = connections
      .flatMap((connection) => connection.peerDevices)
      .filter((peer) => peer.volume === device.volume && peer.info.disk === DiskState.UpToDate);
    const local = device.info.disk === DiskState.UpToDate;
    return {
      local,
      hasDisk: diskStates.includes(device.info.disk),
      replicas: peers.length + (local ? 1 : 0),
      stable: local || peers.some(isStable),
    };
  });
  const replicas = Math.min(...views.map((view) => view.replicas));
  if (replicas === 0) return none;
  const primaries = [info.role, ...connections.map((connection) => connection.info.role)];
  const locals = views.filter((view) => view.local).length;
  return {
    mayPromote: !primaries.includes(Role.Primary) && views.every((view) => view.stable),
    score:
      (views.every((view) => view.hasDisk) ? 10000 : 0) + 100 * Math.min(locals, 99) + Math.min(replicas, 99),
  };
}
