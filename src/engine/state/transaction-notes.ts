/**
 * What sanitize finds out besides the states themselves. It is kept apart from the objects until the commit, so that
 * a prepared or refused transaction leaves nothing behind.
 */
import { type LogLevel } from '../ports';
import { logLine, type LoggedObject } from './object-log';

export class TransactionNotes {
  /** A Primary newly without accessible data. */
  lostData = false;
  /** A Primary newly with accessible data. */
  gainedData = false;
  private readonly effects: (() => void)[] = [];

  /** `effect` runs when the transaction commits, before the finish actions. It may set flags, not states. */
  atCommit(effect: () => void): void {
    this.effects.push(effect);
  }
  log(object: LoggedObject, level: LogLevel, text: string): void {
    this.atCommit(() => logLine(object, level, text));
  }
  apply(): void {
    for (const effect of this.effects) effect();
  }
}
