/** Peers that die, disks that go, hosts that disagree: what an administrator sees and what the data is afterwards. */
import fs from 'node:fs';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { Cluster, until } from './cluster';

let cluster: Cluster;
beforeAll(async () => (cluster = await Cluster.ready(2)), 60_000);
afterAll(() => cluster.destroy());

async function write(index: number, offset: number, fill: number, length = 256 * 1024): Promise<void> {
  const client = await NbdClient.open(deviceSocket(cluster.host(index), 0));
  await client.write(offset, Buffer.alloc(length, fill));
  await client.close();
}
async function readByte(index: number, offset: number): Promise<number | undefined> {
  const client = await NbdClient.open(deviceSocket(cluster.host(index), 0));
  const [byte] = await client.read(offset, 4096);
  await client.close();
  return byte;
}
function sameDisks(): boolean {
  const data = 15 * 1024 * 1024;
  const [one, two] = [0, 1].map((index) => fs.readFileSync(cluster.host(index).disk).subarray(0, data));
  return one !== undefined && two?.equals(one) === true;
}

test('a Primary goes on when its peer is killed; the peer gets what it missed', async () => {
  await cluster.run(0, 'drbdadm', 'primary', 'r0');
  await write(0, 0, 1);
  process.kill(cluster.daemon(1), 'SIGKILL');
  await until('the loss is seen', async () =>
    /Connecting/.test(await cluster.run(0, 'drbdadm', 'cstate', 'r0')),
  );
  await write(0, 0, 2);
  await cluster.run(1, 'drbdadm', 'up', 'r0');
  await cluster.untilDisks(1, 'UpToDate/UpToDate');
  expect(sameDisks()).toBe(true);
}, 60_000);

test('two Primaries are refused, by command and by a writing client', async () => {
  const { exitCode, stderr } = await cluster.ask(1, 'drbdadm', 'primary', 'r0');
  expect(`${exitCode} ${stderr}`).toMatch(/^11 .*\(-1\) Multiple primaries not allowed by config/s);
  await expect(write(1, 0, 9)).rejects.toThrow(/wrong medium type: a peer is Primary/);
}, 60_000);

test('a Primary without its disk reads from and writes to the peer, and catches up when the disk is back', async () => {
  await cluster.run(0, 'drbdadm', 'detach', 'r0');
  expect((await cluster.run(0, 'drbdadm', 'dstate', 'r0')).trim()).toBe('Diskless/UpToDate');
  expect(await readByte(0, 0)).toBe(2);
  await write(0, 4 * 1024 * 1024, 3);
  expect(await readByte(0, 4 * 1024 * 1024)).toBe(3);
  await cluster.run(0, 'drbdadm', 'attach', 'r0');
  await cluster.untilDisks(0, 'UpToDate/UpToDate');
  expect(sameDisks()).toBe(true);
}, 60_000);

test('a device that is open for writing is not demoted', async () => {
  const client = await NbdClient.open(deviceSocket(cluster.host(0), 0));
  await client.write(0, Buffer.alloc(4096, 4));
  const { exitCode, stderr } = await cluster.ask(0, 'drbdadm', 'secondary', 'r0');
  expect(`${exitCode} ${stderr}`).toMatch(/^11 .*\(-12\) Device is held open by someone/s);
  await client.close();
  await cluster.run(0, 'drbdadm', 'secondary', 'r0');
}, 60_000);

test('split brain: both stand alone until one is told to discard its data', async () => {
  await cluster.run(0, 'drbdadm', 'disconnect', 'r0');
  await cluster.run(1, 'drbdadm', 'disconnect', 'r0');
  await cluster.run(0, 'drbdadm', 'primary', '--force', 'r0');
  await write(0, 0, 5);
  await cluster.run(0, 'drbdadm', 'secondary', 'r0');
  await cluster.run(1, 'drbdadm', 'primary', '--force', 'r0');
  await write(1, 0, 6);
  await cluster.run(1, 'drbdadm', 'secondary', 'r0');
  for (const index of [0, 1]) await cluster.run(index, 'drbdadm', 'connect', 'r0');
  for (const index of [0, 1]) {
    await until('it stands alone', async () =>
      /StandAlone/.test(await cluster.run(index, 'drbdadm', 'cstate', 'r0')),
    );
  }
  expect(cluster.logs()).toMatch(/Split-Brain detected but unresolved, dropping connection!/);
  await cluster.run(0, 'drbdadm', 'connect', '--discard-my-data', 'r0');
  await cluster.run(1, 'drbdadm', 'connect', 'r0');
  await cluster.untilDisks(0, 'UpToDate/UpToDate');
  expect(await readByte(0, 0)).toBe(6);
  expect(sameDisks()).toBe(true);
}, 60_000);
