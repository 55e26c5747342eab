import { type WriteRecord } from '../model/write-history';

/**
 * Two Primaries that do not see each other, of which both get writes done: what quorum, or a careful operator, is
 * there to prevent. A write that was on its way when the other one was promoted may still be acknowledged.
 */
export class RivalPrimaries {
  /** Moments of the history's clock. */
  private readonly promotedAt = new Map<string, number>();
  private readonly lastWrite = new Map<string, number>();

  promoted(node: string, moment: number): void {
    this.promotedAt.set(node, moment);
  }
  demoted(node: string): void {
    this.promotedAt.delete(node);
    this.lastWrite.delete(node);
  }
  /** The other Primary that this write must not have been possible beside, if any. */
  acknowledged(node: string, record: WriteRecord): string | undefined {
    const own = this.promotedAt.get(node) ?? record.issued;
    for (const [other, written] of this.lastWrite) {
      const promoted = this.promotedAt.get(other);
      if (other === node || promoted === undefined) continue;
      if (promoted < record.issued && written >= own) return other;
    }
    this.lastWrite.set(node, record.issued);
    return undefined;
  }
}
