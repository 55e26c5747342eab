/** Calls that follow each other for one disk take over what the one before found. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { openBlockStore, type BlockStore, type OpenFlags } from '../../src/drbdmeta/block-store';
import { Handover } from '../../src/drbdmeta/handover';
import { runHere, ScratchHost, type RunResult } from './scratch-host';

const scratch = new ScratchHost();
afterAll(() => scratch.remove());
const argv = (...words: string[]) => ['7', 'v09', 'disk.img', 'internal', ...words];

beforeEach(async () => {
  scratch.blank('disk.img', 2 ** 22);
  expect((await runHere(scratch, ['--force', ...argv('create-md', '1')])).status).toBe(0);
  // As a daemon leaves it: the activity log is to be applied.
  const bytes = fs.readFileSync(scratch.file('disk.img'));
  const flags = bytes.length - 4096 + 56;
  bytes.writeUInt32BE(bytes.readUInt32BE(flags) & ~0x80, flags);
  fs.writeFileSync(scratch.file('disk.img'), bytes);
});

/** Counts what is asked and opened, and what is open. */
class Watch {
  questions = 0;
  opened = 0;
  open = 0;
  constructor(
    readonly handover: Handover | undefined,
    private readonly state = 'Diskless',
  ) {}

  run(...words: string[]): Promise<RunResult> {
    const { handover } = this;
    return runHere(scratch, argv(...words), {
      host: {
        ...scratch.host,
        diskState: async () => {
          this.questions += 1;
          return this.state;
        },
        ...(handover === undefined ? {} : { handover }),
      },
      openStore: (name, flags) => this.store(name, flags),
      env: {},
    });
  }
  private store(name: string, flags: OpenFlags): BlockStore {
    const store = openBlockStore(name, flags);
    const { close } = store;
    this.opened += 1;
    this.open += 1;
    store.close = () => {
      this.open -= 1;
      close.call(store);
    };
    return store;
  }
}

const digest = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

/** The calls that bring up a disk, and the disk afterwards. */
async function bringUp(watch: Watch): Promise<readonly [RunResult, RunResult, string]> {
  const repaired = await watch.run('repair-md');
  const applied = await watch.run('apply-al');
  return [repaired, applied, digest(fs.readFileSync(scratch.file('disk.img')))];
}

test('apply-al goes on with what repair-md has found, and does and says the same', async () => {
  const before = fs.readFileSync(scratch.file('disk.img'));
  const alone = new Watch(undefined);
  const expected = await bringUp(alone);
  expect([alone.questions, alone.opened]).toEqual([2, 2]);
  expect(expected[2]).not.toBe(digest(before));
  fs.writeFileSync(scratch.file('disk.img'), before);
  const together = new Watch(new Handover());
  expect(await bringUp(together)).toEqual(expected);
  expect(together).toMatchObject({ questions: 1, opened: 1, open: 0 });
});

test('what nobody takes is closed', async () => {
  const handover = new Handover();
  const watch = new Watch(handover);
  await watch.run('repair-md');
  expect(watch.open).toBe(1);
  handover.drop();
  expect(watch.open).toBe(0);
  await watch.run('apply-al');
  expect(watch).toMatchObject({ questions: 2, opened: 2, open: 0 });
});

test('nothing is left by a call that changed something, or shows what it does', async () => {
  const watch = new Watch(new Handover());
  await watch.run('apply-al');
  expect(watch.open).toBe(0);
  await watch.run('repair-md', '--verbose');
  expect(watch.open).toBe(0);
});

test('an attached minor is asked about each time', async () => {
  const watch = new Watch(new Handover(), 'UpToDate');
  expect((await watch.run('repair-md')).status).toBe(20);
  expect((await watch.run('apply-al')).status).toBe(20);
  expect(watch).toMatchObject({ questions: 2, opened: 0 });
});

test('another minor or format does not take it', async () => {
  const handover = new Handover();
  const watch = new Watch(handover);
  await watch.run('repair-md');
  const other = await runHere(scratch, ['8', 'v09', 'disk.img', 'internal', 'apply-al'], {
    env: {},
    host: { ...scratch.host, handover },
  });
  expect([other.status, watch.open]).toEqual([0, 1]);
  handover.drop();
  expect(watch.open).toBe(0);
});
