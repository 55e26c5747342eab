import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { daemonsBelow, until } from './cluster';

const program = path.resolve(__dirname, '../../bin/udrbd');
let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-lab-'))));
afterEach(() => {
  expect(daemonsBelow(folder)).toEqual([]);
  fs.rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly text: string;
}
function start(...words: string[]): { kill(): void; readonly ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    kill: () => child.kill('SIGINT'),
    ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, text }))),
  };
}
const udrbd = (...words: string[]): Promise<Ended> => start(...words).ended;

test('up, exec, status, down', async () => {
  const dir = path.join(folder, 'lab');
  const up = await udrbd('lab', 'up', '--hosts', '3', '--size', '8M', '--dir', dir);
  expect(`${up.code} ${up.text}`).toMatch(/^0 Hosts: alpha beta gamma\./);
  const status = await udrbd('lab', 'exec', '--dir', dir, 'alpha', '--', 'drbdadm', 'status');
  expect(status.code).toBe(0);
  expect(status.text).toMatch(
    /r0 role:Secondary\n {2}disk:UpToDate open:no\n {2}beta role:Secondary\n {4}peer-disk:UpToDate\n {2}gamma role:Secondary\n {4}peer-disk:UpToDate/,
  );
  expect((await udrbd('lab', 'exec', '--dir', dir, 'beta', '--', 'sh', '-c', 'exit 7')).code).toBe(7);
  expect(await udrbd('lab', 'exec', '--dir', dir, 'delta', 'true')).toMatchObject({
    code: 1,
    text: "udrbd: There is no host 'delta' in this lab, but: alpha beta gamma\n",
  });
  expect((await udrbd('lab', 'status', '--dir', dir)).text).toMatch(
    /alpha 127\.[\d.]+:7788 daemon \d+\n {2}r0 role/,
  );
  expect(await udrbd('lab', 'down', '--dir', dir)).toEqual({ code: 0, text: '' });
  expect(fs.readdirSync(folder)).toEqual([]);
  expect((await udrbd('lab', 'status', '--dir', dir)).text).toMatch(/There is no lab in/);
}, 90_000);

test('interrupted while coming up, nothing is left', async () => {
  const dir = path.join(folder, 'lab');
  const up = start('lab', 'up', '--dir', dir);
  await until('a daemon runs', () => daemonsBelow(folder).length > 0);
  up.kill();
  expect((await up.ended).code).toBe(130);
  expect(fs.readdirSync(folder)).toEqual([]);
}, 60_000);
