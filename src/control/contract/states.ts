/**
 * The state enumerations of a DRBD host, with the numbers of the wire and of the kernel's interface and the names
 * that every program prints (engine.md 1.2). The order of the numbers is meaningful: `<` and `>` are used on them.
 */

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

function namesByNumber(table: Readonly<Record<string, number>>): readonly (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (const [name, value] of Object.entries(table)) names[value] = name;
  return names;
}
const roleNames = namesByNumber(Role);
const connectionNames = namesByNumber(ConnectionState);
const replicationNames = namesByNumber(ReplicationState);
const diskNames = namesByNumber(DiskState);

/** Printed name; `?` for a number out of range (engine.md 1.2). */
export const roleName = (role: number): string => roleNames[role] ?? '?';
export const connectionStateName = (state: number): string => connectionNames[state] ?? '?';
export const replicationStateName = (state: number): string => replicationNames[state] ?? '?';
export const diskStateName = (state: number): string => diskNames[state] ?? '?';
