/**
 * Meta-data of an attached disk go to another place: the disk got another size, or the activity log another geometry
 * (engine.md 9.9). Data I/O goes on meanwhile; what needs the meta-data waits. The power may fail at any step:
 *
 * - Usually the new place is elsewhere: bitmap and log are written there, then the superblock, which is what makes the
 *   new place count. Until then the old one is complete, and tools find it by the last known size (metadata.md 14).
 * - Where both overlap, the new superblock comes first and says that everything is out of sync; only when bitmap and
 *   log are in place it says what is true. A power cut in between costs a resync, but no data.
 */
import { type ActivityLogGeometry, type Layout, SECTOR } from '../../metadata/layout';
import { encodeSuperblock09 } from '../../metadata/superblock-09';
import { SUPERBLOCK_BYTES } from '../../metadata/superblock-flags';
import { type ErrnoCode } from '../ports';
import { type BackingDevice } from './backing-device';
import { flushBefore, WhenDone } from './meta-data-target';
import { distrustful } from './superblock-writer';

export interface MetaDataPlace {
  readonly layout: Layout;
  readonly geometry: ActivityLogGeometry;
}
type Step = (next: (error: ErrnoCode) => void) => void;
interface Area {
  readonly start: number;
  readonly end: number;
}

const areaOf = ({ superblockByte, alByte, alBytes, bitmapByte, bitmapAreaBytes }: Layout): Area => ({
  start: Math.min(superblockByte, alByte, bitmapByte),
  end: Math.max(superblockByte + SUPERBLOCK_BYTES, alByte + alBytes, bitmapByte + bitmapAreaBytes),
});

/** `done` when the new place counts and the old one is wiped, or with the error that will detach the disk. */
export function moveMetaData(
  backing: BackingDevice,
  to: MetaDataPlace,
  done: (error: ErrnoCode) => void,
): void {
  new Move(backing, to, done).begin();
}

class Move {
  private readonly from: Layout;
  private readonly overlap: boolean;
  private readonly inPlace: boolean;

  constructor(
    private readonly backing: BackingDevice,
    private readonly to: MetaDataPlace,
    private readonly done: (error: ErrnoCode) => void,
  ) {
    this.from = backing.layout;
    const [old, next] = [areaOf(this.from), areaOf(to.layout)];
    this.overlap = next.start < old.end && old.start < next.end;
    this.inPlace = this.from.superblockByte === to.layout.superblockByte;
  }

  /** The log first: its transactions need the superblock and the bitmap. The superblock may need the bitmap. */
  begin(): void {
    const { activityLog, superblockWriter, bitmapWriter } = this.backing;
    this.backing.hold();
    activityLog.hold({
      run: () =>
        superblockWriter.hold({ run: () => bitmapWriter.hold({ run: () => this.follow(this.steps()) }) }),
    });
  }
  private steps(): Step[] {
    const contents = [this.writeBitmap, this.writeLog, this.flush];
    if (!this.overlap) return [...contents, this.adopt, this.writeSuperblock, this.wipeOld];
    const announce = this.inPlace ? [this.writeCautious, this.adopt] : [this.adopt, this.clearPlace];
    return [...announce, this.writeCautious, ...contents, this.writeSuperblock, this.wipeOld];
  }
  private follow(steps: readonly Step[]): void {
    const [first, ...rest] = steps;
    if (first === undefined) return this.end(0);
    first((error) => {
      if (error !== 0) this.end(error);
      else this.follow(rest);
    });
  }
  private end(error: ErrnoCode): void {
    const { backing } = this;
    const { layout, superblock } = backing;
    if (error !== 0) {
      // What was there is gone, and what should be there may be half written.
      if (this.overlap) backing.superblockWriter.loseContents();
      backing.bitmapWriter.writeAllAgain();
      backing.onMetaDataError('drbd_md_write', error);
    }
    const { alByte, superblockByte, bitmapByte } = layout;
    backing.bitmapWriter.letGo(bitmapByte);
    backing.superblockWriter.letGo(superblockByte);
    backing.activityLog.letGo({ geometry: superblock, alByte });
    backing.release();
    this.done(error);
  }

  // --- the steps

  private readonly writeBitmap: Step = (next) => {
    const { layout } = this.to;
    this.backing.bitmapWriter.writeAllAt(layout.bitmapByte, new WhenDone(next));
  };
  private readonly writeLog: Step = (next) => {
    const ring = this.backing.activityLog.copyRing(this.to.geometry);
    this.backing.metaDisk.write(this.to.layout.alByte, ring, false, new WhenDone(next));
  };
  private readonly flush: Step = (next) => flushBefore(this.backing, next);
  /** From here on the superblock in memory describes the new place. */
  private readonly adopt: Step = (next) => {
    const { backing, to } = this;
    const { mdSizeSect, alOffset, bmOffset } = to.layout;
    const { alStripes, alStripeSize4k } = to.geometry;
    Object.assign(backing.superblock, { mdSizeSect, alOffset, bmOffset, alStripes, alStripeSize4k });
    backing.layout = to.layout;
    next(0);
  };
  /** What is there now must not look like a superblock while it is half written. */
  private readonly clearPlace: Step = (next) => {
    const zeros = new Uint8Array(SUPERBLOCK_BYTES);
    this.writeBlock(zeros, next);
  };
  /** Nothing is trusted; the log need not be looked at. */
  private readonly writeCautious: Step = (next) => {
    const image = this.backing.superblockWriter.imageWithMark();
    this.writeBlock(encodeSuperblock09(distrustful(image)), next);
  };
  private readonly writeSuperblock: Step = (next) => {
    const { superblockWriter } = this.backing;
    const image = superblockWriter.imageWithMark();
    const bytes = encodeSuperblock09(image);
    const finish = (error: ErrnoCode): void => {
      if (error === 0) superblockWriter.wrote(image);
      next(error);
    };
    if (this.overlap) return this.writeBlock(bytes, finish);
    // The sector with the magic comes last: a torn superblock is none.
    const headless = bytes.slice();
    headless.fill(0, 0, SECTOR);
    this.writeBlock(headless, (error) => {
      if (error !== 0) next(error);
      else this.writeBlock(bytes, finish);
    });
  };
  private writeBlock(bytes: Uint8Array, next: (error: ErrnoCode) => void): void {
    const { backing } = this;
    flushBefore(backing, (error) => {
      if (error !== 0) return next(error);
      backing.metaDisk.write(backing.layout.superblockByte, bytes, backing.mdFlushes(), new WhenDone(next));
    });
  }
  /** What was meta-data and is room for data now reads as zeros. A disk that cannot do that keeps it. */
  private readonly wipeOld: Step = (next) => {
    const { start, end } = areaOf(this.from);
    const wiped = Math.min(end, areaOf(this.to.layout).start);
    if (wiped <= start || end > this.backing.metaDisk.size) return next(0);
    this.backing.metaDisk.zeroOut(start, wiped - start, true, new WhenDone(() => next(0)));
  };
}
