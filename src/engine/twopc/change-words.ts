/**
 * Mask and value of a cluster-wide change as state words (wire-protocol.md 6.1, 13.5), and the text of a change in
 * log lines (engine.md 7.7).
 */
import {
  ConnectionState,
  connectionStateName,
  diskStateName,
  replicationStateName,
  roleName,
} from '../../control/contract/states';
import { mirrorState, packState, STATE_MASK, type StateFields, unpackState } from '../../wire/state-word';

export interface ChangeWord {
  readonly mask: number;
  readonly value: number;
}
export const EMPTY_CHANGE: ChangeWord = { mask: 0, value: 0 };

/** A change of just these fields. */
export function changeWord(fields: Partial<StateFields>): ChangeWord {
  let mask = 0;
  if (fields.role !== undefined) mask |= STATE_MASK.role;
  if (fields.peer !== undefined) mask |= STATE_MASK.peer;
  if (fields.conn !== undefined) mask |= STATE_MASK.conn;
  if (fields.disk !== undefined) mask |= STATE_MASK.disk;
  if (fields.peerDisk !== undefined) mask |= STATE_MASK.peerDisk;
  return { mask: mask >>> 0, value: packState(fields) };
}

/** The new value of a field, undefined if the change leaves it alone. */
export function changedField(change: ChangeWord, field: keyof StateFields): number | undefined {
  if ((change.mask & STATE_MASK[field]) === 0) return undefined;
  return unpackState(change.value)[field];
}

/** The change as its receiver sees it: own and peer fields swapped (wire-protocol.md 6.2). */
export const inReceiversView = (change: ChangeWord): ChangeWord => ({
  mask: mirrorState(change.mask),
  value: mirrorState(change.value),
});

/** `0->all role( Primary )`, `0->1 role( Secondary ) conn( Connected )`, `0->all empty`; target -1 = all. */
export function describeChange(initiator: number, target: number, change: ChangeWord): string {
  const items: string[] = [];
  const add = (field: keyof StateFields, print: (value: number) => string): void => {
    const value = changedField(change, field);
    if (value !== undefined) items.push(print(value));
  };
  add('role', (role) => `role( ${roleName(role)} )`);
  add('peer', (role) => `peer( ${roleName(role)} )`);
  add('conn', (conn) =>
    conn > ConnectionState.Connected
      ? `repl( ${replicationStateName(conn)} )`
      : `conn( ${connectionStateName(conn)} )`,
  );
  add('disk', (disk) => `disk( ${diskStateName(disk)} )`);
  add('peerDisk', (disk) => `pdsk( ${diskStateName(disk)} )`);
  if (items.length === 0) items.push('empty');
  return `${initiator}->${target < 0 ? 'all' : target} ${items.join(' ')}`;
}
