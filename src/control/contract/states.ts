// The numbers and printed names of DRBD's states (engine.md 1.2). Comparisons with < and > are meaningful.

export const Role = { Unknown: 0, Primary: 1, Secondary: 2 } as const;
export type Role = (typeof Role)[keyof typeof Role];

export const ConnectionState = {
  StandAlone: 0,
  Disconnecting: 1,
  Unconnected: 2,
  Timeout: 3,
  BrokenPipe: 4,
  NetworkFailure: 5,
  ProtocolError: 6,
  TearDown: 7,
  Connecting: 8,
  Connected: 9,
} as const;
export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState];

/** `Off` has the value of `Connected`: state words on the wire carry either (engine.md 1.2). */
export const ReplicationState = {
  Off: 9,
  Established: 10,
  StartingSyncS: 11,
  StartingSyncT: 12,
  WFBitMapS: 13,
  WFBitMapT: 14,
  WFSyncUUID: 15,
  SyncSource: 16,
  SyncTarget: 17,
  VerifyS: 18,
  VerifyT: 19,
  PausedSyncS: 20,
  PausedSyncT: 21,
  Ahead: 22,
  Behind: 23,
} as const;
export type ReplicationState = (typeof ReplicationState)[keyof typeof ReplicationState];

export const DiskState = {
  Diskless: 0,
  Attaching: 1,
  Detaching: 2,
  Failed: 3,
  Negotiating: 4,
  Inconsistent: 5,
  Outdated: 6,
  DUnknown: 7,
  Consistent: 8,
  UpToDate: 9,
} as const;
export type DiskState = (typeof DiskState)[keyof typeof DiskState];

export const WriteOrdering = { None: 0, Drain: 1, Flush: 2, Barrier: 3 } as const;
export type WriteOrdering = (typeof WriteOrdering)[keyof typeof WriteOrdering];

/** Answer of `get-timeout-type`: which of the wait-* timeouts applies. */
export const TimeoutType = { Default: 0, Degraded: 1, PeerOutdated: 2 } as const;
export type TimeoutType = (typeof TimeoutType)[keyof typeof TimeoutType];

/** `metaIndex` of a disk; 0 and more number the 128 MiB slots of an external device (drbdsetup.md 2.3). */
export const MetaIndex = { Internal: -1, FlexExternal: -2, FlexInternal: -3 } as const;

function namesOf(table: Readonly<Record<string, number>>, lower = false): ReadonlyMap<number, string> {
  return new Map(Object.entries(table).map(([name, value]) => [value, lower ? name.toLowerCase() : name]));
}
const roleNames = namesOf(Role);
const connectionNames = namesOf(ConnectionState);
const replicationNames = namesOf(ReplicationState);
const diskNames = namesOf(DiskState);
const writeOrderingNames = namesOf(WriteOrdering, true);

/** Printed names; a value outside its table gives `?`. */
export const roleName = (role: number): string => roleNames.get(role) ?? '?';
export const connectionStateName = (state: number): string => connectionNames.get(state) ?? '?';
export const replicationStateName = (state: number): string => replicationNames.get(state) ?? '?';
export const diskStateName = (state: number): string => diskNames.get(state) ?? '?';
export const writeOrderingName = (ordering: number): string => writeOrderingNames.get(ordering) ?? '?';
