// Colours of state words (drbdsetup.md 6.2).
import { ConnectionState, DiskState, ReplicationState, Role } from '../control/contract/states';

type ColorClass = 'transitional' | 'normal' | 'primary' | 'good' | 'bad';
type Side = 'local' | 'peer';

const codes: Readonly<Record<Side, Readonly<Record<ColorClass, string>>>> = {
  local: { transitional: '1', normal: '', primary: '1;36', good: '1;32', bad: '1;31' },
  peer: { transitional: '', normal: '', primary: '36', good: '32', bad: '31' },
};

const roleClasses: ReadonlyMap<number, ColorClass> = new Map([
  [Role.Primary, 'primary'],
  [Role.Secondary, 'normal'],
]);
const connectionClasses: ReadonlyMap<number, ColorClass> = new Map([
  [ConnectionState.StandAlone, 'bad'],
  [ConnectionState.Connecting, 'bad'],
  [ConnectionState.Connected, 'normal'],
]);
const replicationClasses: ReadonlyMap<number, ColorClass> = new Map([
  [ReplicationState.SyncSource, 'bad'],
  [ReplicationState.SyncTarget, 'bad'],
  [ReplicationState.PausedSyncT, 'bad'],
  [ReplicationState.Established, 'normal'],
  [ReplicationState.VerifyS, 'normal'],
  [ReplicationState.VerifyT, 'normal'],
  [ReplicationState.PausedSyncS, 'normal'],
  [ReplicationState.Ahead, 'normal'],
]);
const localReplication: readonly number[] = [
  ReplicationState.SyncTarget,
  ReplicationState.PausedSyncT,
  ReplicationState.Behind,
];
const diskClasses: ReadonlyMap<number, ColorClass> = new Map([
  [DiskState.Diskless, 'bad'],
  [DiskState.Inconsistent, 'bad'],
  [DiskState.Outdated, 'bad'],
  [DiskState.UpToDate, 'good'],
]);

function paint(colorClass: ColorClass | undefined, side: Side, text: string): string {
  const code = codes[side][colorClass ?? 'transitional'];
  return code === '' ? text : `\u001b[${code}m${text}\u001b[0m`;
}

/** Puts colours around state words. */
export interface Painter {
  role(role: number, side: Side, text: string): string;
  connection(state: number, text: string): string;
  replication(state: number, text: string): string;
  /** An intended lack of a disk is as good as a disk. */
  disk(state: number, intentionalDiskless: boolean, side: Side, text: string): string;
  quorum(has: boolean, text: string): string;
  failIo(fails: boolean, text: string): string;
  open(open: boolean | undefined, text: string): string;
}

export const colored: Painter = {
  role: (role, side, text) => paint(roleClasses.get(role), side, text),
  connection: (state, text) => paint(connectionClasses.get(state), 'local', text),
  replication: (state, text) =>
    paint(replicationClasses.get(state), localReplication.includes(state) ? 'local' : 'peer', text),
  disk: (state, intentional, side, text) =>
    paint(intentional && state === DiskState.Diskless ? 'good' : diskClasses.get(state), side, text),
  quorum: (has, text) => paint(has ? 'good' : 'bad', 'local', text),
  failIo: (fails, text) => paint(fails ? 'bad' : 'good', 'local', text),
  open: (open, text) => paint(open === false ? 'normal' : 'primary', 'local', text),
};

const same = (_state: unknown, text: string): string => text;
export const plain: Painter = {
  role: (_role, _side, text) => text,
  connection: same,
  replication: same,
  disk: (_state, _intentional, _side, text) => text,
  quorum: same,
  failIo: same,
  open: same,
};
