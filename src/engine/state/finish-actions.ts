/** Finish actions: part of the commit itself (engine.md 2.6). */
import { type StateChange } from './state-change';
import { type TransactionNotes } from './transaction-notes';

export function finishChange(change: StateChange, notes: TransactionNotes): void {
  void change;
  void notes;
}
