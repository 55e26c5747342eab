/** Numbers from the wire as the enumerations they should be; what no kernel sends becomes the harmless end. */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';

const roles: readonly Role[] = Object.values(Role);
const disks: readonly DiskState[] = Object.values(DiskState);
const replications: readonly ReplicationState[] = Object.values(ReplicationState);

export const asRole = (value: number | undefined): Role =>
  roles.find((role) => role === value) ?? Role.Unknown;
export const asDiskState = (value: number | undefined): DiskState =>
  disks.find((disk) => disk === value) ?? DiskState.DUnknown;
export const asReplicationState = (value: number | undefined): ReplicationState =>
  replications.find((state) => state === value) ?? ReplicationState.Off;
