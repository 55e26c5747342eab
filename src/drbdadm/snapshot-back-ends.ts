/** The back ends in a start-up snapshot, in place of snapshot-contents.ts. */
import * as tools from './in-process-tools';
import { type DrbdadmIo } from './run';
import { warmBackEnds } from './warm-back-ends';

export interface SnapshotBackEnds {
  readonly tools: typeof tools;
  warm(silence: DrbdadmIo): Promise<void>;
}

export const backEnds: SnapshotBackEnds = {
  tools,
  warm: (silence) => warmBackEnds(process.env.UDRBD_SNAPSHOT_SCRATCH ?? '', silence),
};
