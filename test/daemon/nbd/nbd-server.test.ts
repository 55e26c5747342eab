/** The NBD server as real clients see it: libnbd's tools, QEMU's, fio, nbdkit. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { InputQueue } from '../../../src/daemon/input-queue';
import { AllDevices, SingleDevice } from '../../../src/daemon/nbd/device-directory';
import { NbdServer } from '../../../src/daemon/nbd/nbd-server';
import { freePort, throwing } from '../port-waiters';
import { MemoryDevice } from './memory-device';

const MiB = 1024 * 1024;
let folder: string;
let socket: string;
let server: NbdServer;
let device: MemoryDevice;
let uri: string;
const errors: string[] = [];

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-nbd-'));
  socket = path.join(folder, 'drbd7.sock');
  const queue = new InputQueue(throwing);
  device = new MemoryDevice(queue, 8 * MiB);
  server = new NbdServer(queue, queue, new SingleDevice(device), (message) => errors.push(message));
  server.listenUnix(socket);
  uri = `nbd+unix:///?socket=${socket}`;
  while (!fs.existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 2));
});
afterEach(() => {
  server.close();
  fs.rmSync(folder, { recursive: true });
  expect(errors).toEqual([]);
});

const present = (program: string): boolean => spawnSync('which', [program]).status === 0;
function withProgram(program: string, name: string, body: () => Promise<void>): void {
  test(`${program}: ${name}`, async () => {
    if (present(program)) await body();
    else process.stderr.write(`SKIPPED (no ${program} here): ${name}\n`);
  });
}
const execute = promisify(execFile);
async function run(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute(program, args, { timeout: 25_000 });
  return stdout;
}
async function failure(program: string, ...args: string[]): Promise<string> {
  try {
    await run(program, ...args);
  } catch (error) {
    return String(error);
  }
  throw new Error(`${program} did not fail`);
}
async function settled(): Promise<void> {
  for (let i = 0; i < 200 && device.openers > 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(device.openers).toBe(0);
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

withProgram('nbdinfo', 'all devices by name on a TCP port', async () => {
  const queue = new InputQueue(throwing);
  const devices = [new MemoryDevice(queue, MiB), new MemoryDevice(queue, 2 * MiB, 12)];
  const network = new NbdServer(queue, queue, new AllDevices(() => devices), (message) =>
    errors.push(message),
  );
  const port = await freePort('127.0.0.1');
  network.listenTcp('127.0.0.1', port);
  try {
    // It listens a moment later: a client that starts first is refused.
    while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 2));
    const listing = await run('nbdinfo', '--list', `nbd://127.0.0.1:${port}`);
    expect(listing.match(/export="[^"]*"/g)).toEqual(['export="drbd7"', 'export="drbd12"']);
    expect((await run('nbdinfo', '--size', `nbd://127.0.0.1:${port}/drbd12`)).trim()).toBe(String(2 * MiB));
    const readOnly = JSON.parse(await run('nbdinfo', '--json', `nbd://127.0.0.1:${port}/ro/drbd7`));
    expect(readOnly.exports[0]).toMatchObject({ is_read_only: true, 'export-size': MiB });
    expect(await failure('nbdinfo', `nbd://127.0.0.1:${port}`)).toMatch(/No such file or directory/);
  } finally {
    network.close();
  }
});
test('the socket is for its owner only', () => {
  expect(fs.statSync(socket).mode & 0o777).toBe(0o600);
});
withProgram('nbdinfo', 'learns size, block sizes and abilities', async () => {
  const info = JSON.parse(await run('nbdinfo', '--json', uri));
  expect(info).toMatchObject({ protocol: 'newstyle-fixed', structured: true });
  expect(info.exports[0]).toMatchObject({
    'export-size': 8 * MiB,
    is_read_only: false,
    can_multi_conn: true,
    can_flush: true,
    can_fua: true,
    can_trim: true,
    can_zero: true,
    can_cache: true,
    can_df: true,
    can_fast_zero: true,
    contexts: ['base:allocation'],
  });
  expect(await run('nbdinfo', '--map', uri)).toMatch(/^\s*0\s+8388608\s+0\s+data/);
  await settled();
  expect(device.promotions).toBe(0);
});
withProgram('nbdinfo', 'lists both names; `ro` is read-only, unknown names are refused', async () => {
  const list = await run('nbdinfo', '--list', uri);
  expect(list).toMatch(/export="drbd7"/);
  expect(list).toMatch(/export="ro"/);
  const readOnly = JSON.parse(await run('nbdinfo', '--json', `nbd+unix:///ro?socket=${socket}`));
  expect(readOnly.exports[0].is_read_only).toBe(true);
  expect(await failure('nbdinfo', `nbd+unix:///nonsense?socket=${socket}`)).toMatch(
    /No such file or directory/,
  );
});
withProgram('qemu-io', 'is told why a device does not open', async () => {
  device.openError = 124;
  const { text } = await spawnAsync('qemu-io', ['-f', 'raw', '-c', 'read 0 4k', uri]);
  expect(text).toMatch(/wrong medium type: a peer is Primary/);
});
withProgram('nbdcopy', 'copies in and out, over several connections', async () => {
  const original = path.join(folder, 'original');
  const copy = path.join(folder, 'copy');
  const bytes = Buffer.alloc(8 * MiB);
  for (let i = 0; i < bytes.length; i += 4096) bytes.fill((i / 4096) % 251, i, i + 4096);
  fs.writeFileSync(original, bytes);
  await run('nbdcopy', '--connections=4', '--flush', original, uri);
  expect(device.bytes.equals(bytes)).toBe(true);
  expect(device.promotions).toBeGreaterThan(0);
  expect(device.flushes).toBeGreaterThan(0);
  await run('nbdcopy', uri, copy);
  expect(fs.readFileSync(copy).equals(bytes)).toBe(true);
  await settled();
  expect(device.writers).toBe(0);
});
withProgram('qemu-img', 'converts onto the device, compares, reads it back', async () => {
  const original = path.join(folder, 'original');
  const bytes = Buffer.alloc(8 * MiB);
  bytes.fill(9, MiB, 2 * MiB);
  fs.writeFileSync(original, bytes);
  await run('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', original, uri);
  expect(device.bytes.equals(bytes)).toBe(true);
  expect(await run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', original, uri)).toMatch(/identical/);
  await settled();
});
withProgram('qemu-io', 'writes, zeroes, discards, flushes and verifies', async () => {
  const out = await run(
    'qemu-io',
    '-f',
    'raw',
    '-c',
    'write -P 0x5a 64k 64k',
    '-c',
    'write -z 80k 16k',
    '-c',
    'write -f -P 0x11 1M 4k',
    '-c',
    'discard 96k 32k',
    '-c',
    'flush',
    '-c',
    'read -P 0x5a 64k 16k',
    '-c',
    'read -P 0 80k 48k',
    '-c',
    'read -P 0x11 1M 4k',
    uri,
  );
  expect(out).not.toMatch(/failed|error/i);
  expect(device.fuaWrites).toBeGreaterThan(0);
});
withProgram('qemu-io', 'a refused promotion is an error of the write, not of the connection', async () => {
  device.writeOpenError = 30;
  // qemu-io reports the failure and goes on with the read.
  const result = spawnAsync('qemu-io', ['-f', 'raw', '-c', 'write 0 4k', '-c', 'read 0 4k', uri]);
  const { text } = await result;
  expect(text).toMatch(/write failed: Operation not permitted/);
  expect(text).toMatch(/read 4096\/4096 bytes at offset 0/);
});
withProgram('fio', 'random writes with verification at depth 32', async () => {
  const args = ['--name=x', '--ioengine=nbd', `--uri=${uri}`, '--rw=randwrite', '--bs=4k', '--iodepth=32'];
  const { text, code } = await spawnAsync(
    'fio',
    [...args, '--size=8m', '--verify=crc32c', '--verify_fatal=1', '--output-format=terse'],
    folder,
  );
  expect(`${code} ${text}`).toMatch(/^0 /);
  expect(device.bytes.some((byte) => byte !== 0)).toBe(true);
});
withProgram('nbdkit', 'serves the device on as a client', async () => {
  device.bytes.fill(3, 0, MiB);
  const proxy = path.join(folder, 'proxy.sock');
  const child = spawn('nbdkit', ['-f', '-U', proxy, 'nbd', `socket=${socket}`], { stdio: 'ignore' });
  try {
    for (let i = 0; i < 200 && !fs.existsSync(proxy); i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const copy = path.join(folder, 'copy');
    await run('nbdcopy', `nbd+unix:///?socket=${proxy}`, copy);
    expect(fs.readFileSync(copy).equals(device.bytes)).toBe(true);
  } finally {
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
  }
});

function spawnAsync(
  program: string,
  args: string[],
  cwd = '/',
): Promise<{ text: string; code: number | null }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('close', (code) => resolve({ text, code }));
  });
}
