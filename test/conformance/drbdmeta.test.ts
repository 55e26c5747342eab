import { compareGenerated, referenceMissing, type Tally } from '../drbdmeta/compare-with-reference';
import { ScratchHost } from '../drbdmeta/scratch-host';

const missing = referenceMissing();
if (missing !== undefined)
  process.stderr.write(`SKIPPED: drbdmeta is not compared with the reference: ${missing}\n`);
const compare = missing === undefined ? test : test.skip;

const IMAGES = Number(process.env.DRBDMETA_IMAGES ?? 60);
const FIRST_SEED = Number(process.env.DRBDMETA_SEED ?? 1);

compare(
  'generated images: every command leaves the same bytes, output and status as the reference',
  async () => {
    const scratch = new ScratchHost();
    const tally: Tally = { images: 0, commands: 0 };
    try {
      for (let seed = FIRST_SEED; seed < FIRST_SEED + IMAGES; seed++)
        await compareGenerated(scratch, seed, tally);
    } finally {
      scratch.remove();
      process.stderr.write(
        `drbdmeta: ${tally.commands} commands on ${tally.images} generated images compared\n`,
      );
    }
    expect(tally.images).toBeGreaterThanOrEqual(IMAGES);
  },
  600_000,
);
