/** Applications that write where a resync is at work: neither waits for the other in a circle. */
import { DiskState } from '../../../src/control/contract/states';
import { type Opener } from '../../../src/engine/application-io';
import { type TestHost, twoHosts } from './two-hosts';

const BLOCK = 4096;
const BLOCKS = 512;
/** Between the writes of one writer, ms. */
const PAUSE = 2;

/** Writes block after block, one at a time, until told to stop; an error ends it, too. */
class Writer {
  count = 0;
  stopped = false;
  error = 0;
  constructor(
    private readonly host: TestHost,
    private readonly file: Opener,
    private readonly next: () => number,
  ) {}
  start(): void {
    this.host.machine.input(() => this.write());
  }
  private later(): void {
    this.host.engine.ports.scheduler.after(PAUSE, { onTimer: () => this.write() });
  }
  private write(): void {
    const block = new Uint8Array(BLOCK).fill(++this.count % 251);
    this.file.write(this.next() * BLOCK, block, false, {
      onIoDone: (error) => {
        this.error = error;
        if (error === 0 && !this.stopped) this.later();
      },
    });
  }
}

test('the Primary writes on while its own disk is the target', () => {
  const { world, a, b } = twoHosts();
  a.up([b]);
  b.up([a]);
  world.run(5_000);
  a.primary(true);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  const file = a.open(true);
  const writers = [7, 11, 13].map((step) => {
    let at = 0;
    return new Writer(a, file, () => (at = (at + step) % BLOCKS));
  });
  for (const writer of writers) writer.start();
  for (let round = 0; round < 2; round++) {
    a.must({ command: 'detach', minor: 0, force: true, diskless: false });
    world.runUntil(() => a.disk === DiskState.Diskless, 10_000);
    world.run(100);
    a.reattach();
    const before = writers.map(({ count }) => count);
    // Far less than ko-count * timeout, after which the connection would be lost and all begin again.
    expect(world.runUntil(() => a.inSyncWith(b), 20_000)).toBe(true);
    writers.forEach(({ count }, i) => expect(count).toBeGreaterThan(before[i] ?? 0));
  }
  for (const writer of writers) writer.stopped = true;
  world.run(2_000);
  expect(writers.map(({ error }) => error)).toEqual([0, 0, 0]);
  expect(a.kernelLog()).not.toContain('ko-count');
  expect(Buffer.compare(a.contents(), b.contents())).toBe(0);
});
