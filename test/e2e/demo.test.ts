import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { daemonsBelow, until } from './cluster';

const program = path.resolve(__dirname, '../../bin/udrbd');

function startDemo(temporary: string): {
  text(): string;
  interrupt(): void;
  readonly ended: Promise<number | null>;
} {
  const child = spawn(process.execPath, [program, 'demo'], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    text: () => text,
    interrupt: () => child.kill('SIGINT'),
    ended: new Promise((resolve) => child.on('close', resolve)),
  };
}

let temporary: string;
beforeEach(() => (temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-demo-test-'))));
afterEach(() => {
  expect(fs.readdirSync(temporary)).toEqual([]);
  expect(daemonsBelow(temporary)).toEqual([]);
  fs.rmSync(temporary, { recursive: true });
});

test('the demo replicates, fails over, agrees to the byte and leaves nothing behind', async () => {
  const demo = startDemo(temporary);
  const code = await demo.ended;
  expect(`${code} ${demo.text()}`).toMatch(/^0 /);
  expect(demo.text()).toMatch(/ok all \d+ bytes of the device are the same/);
  expect(demo.text()).toMatch(/ok only what had changed was sent: \d+ of \d+ KiB/);
  expect(demo.text()).toMatch(/All as it should be/);
  expect(demo.text()).not.toMatch(/WRONG/);
}, 90_000);

test('interrupted, it leaves no process and no file', async () => {
  const demo = startDemo(temporary);
  await until('a daemon runs', () => daemonsBelow(temporary).length > 0);
  demo.interrupt();
  expect(await demo.ended).toBe(130);
}, 60_000);
