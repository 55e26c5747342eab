/** Two rooms that may not import each other have the numbers of DRBD's states: engine and tools mean the same by them. */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../src/control/contract/states';
import { CONN, DISK, ROLE } from '../../src/wire/state-word';

test('the states of the control contract are those of the wire', () => {
  const { Mask: connMask, ...conn } = CONN;
  const { Mask: diskMask, ...disk } = DISK;
  expect({ ...ConnectionState, ...ReplicationState }).toEqual(conn);
  expect(DiskState).toEqual(disk);
  expect(Role).toEqual(ROLE);
  expect(Math.max(...Object.values(conn))).toBeLessThan(connMask);
  expect(Math.max(...Object.values(disk))).toBeLessThan(diskMask);
});
