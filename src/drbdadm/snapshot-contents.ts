/**
 * What a start-up snapshot holds besides the configuration: nothing, for most commands would only read it. The bundle for
 * commands that run back ends has snapshot-back-ends.ts in place of this file (scripts/build.cjs).
 */
import { type SnapshotBackEnds } from './snapshot-back-ends';

export const backEnds: SnapshotBackEnds | undefined = undefined;
