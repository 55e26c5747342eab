/** Deferred actions: what follows a committed change outside of its transaction (engine.md 2.7). */
import { type Resource } from '../objects';
import { type ChangeOptions } from './change-options';
import { type StateChange } from './state-change';

/** `changeState`, handed in because it is this module's caller. */
export type ChangeState = (
  resource: Resource,
  options: ChangeOptions,
  edit: (resource: Resource) => void,
) => number;

export function runDeferred(change: StateChange, _changeState: ChangeState): void {
  void change;
}
