/*
 * The thousand images of the conformance test (npm test compares fewer): UDRBD_SUITE=1 npx jest test/slow/drbdmeta
 */
import { compareGenerated, referenceMissing, type Tally } from '../drbdmeta/compare-with-reference';
import { ScratchHost } from '../drbdmeta/scratch-host';

const missing = referenceMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: a thousand images of drbdmeta: ${missing}\n`);
const compare = missing === undefined ? test : test.skip;

const BATCH = 100;
const batches = Array.from({ length: 10 }, (_, i) => 10_000 + i * BATCH);

compare.each(batches)(
  'images from seed %i on: the same bytes, output and status as the reference after every command',
  async (first) => {
    const scratch = new ScratchHost();
    const tally: Tally = { images: 0, commands: 0 };
    try {
      for (let seed = first; seed < first + BATCH; seed++) await compareGenerated(scratch, seed, tally);
    } finally {
      scratch.remove();
      process.stderr.write(
        `drbdmeta: ${tally.commands} commands on ${tally.images} generated images compared\n`,
      );
    }
    expect(tally.images).toBe(BATCH);
  },
  1_800_000,
);
