/** Backing disks become larger while everything runs (engine.md 9.9). */
import fs from 'node:fs';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { Cluster } from './cluster';

const MiB = 1024 * 1024;
let cluster: Cluster;
beforeAll(async () => (cluster = await Cluster.ready(2)), 60_000);
afterAll(() => cluster.destroy());

async function exportedSize(index: number): Promise<number> {
  const client = await NbdClient.open(deviceSocket(cluster.host(index), 0));
  const { size } = client;
  await client.close();
  return size;
}
async function write(offset: number, fill: number): Promise<void> {
  const client = await NbdClient.open(deviceSocket(cluster.host(0), 0));
  await client.write(offset, Buffer.alloc(MiB, fill));
  await client.close();
}
async function expectFill(index: number, offset: number, fill: number): Promise<void> {
  const client = await NbdClient.open(deviceSocket(cluster.host(index), 0));
  const found = await client.read(offset, MiB);
  await client.close();
  expect(found.equals(Buffer.alloc(MiB, fill))).toBe(true);
}

test('resize makes the device as large as the disks are now; the data stay', async () => {
  await cluster.run(0, 'drbdadm', 'primary', 'r0');
  const before = await exportedSize(0);
  await write(0, 1);
  await write(14 * MiB, 2);
  for (const index of [0, 1]) fs.truncateSync(cluster.host(index).disk, 40 * MiB);
  await cluster.run(0, 'drbdadm', 'resize', 'r0');
  const after = await exportedSize(0);
  expect(after - before).toBeGreaterThan(23 * MiB);
  await cluster.untilDisks(0, 'UpToDate/UpToDate');
  await expectFill(0, 0, 1);
  await expectFill(0, 14 * MiB, 2);
  await write(30 * MiB, 3);
  expect(cluster.logs()).toContain('Resync of new storage after online grow');
}, 60_000);

test('after a restart of both daemons the tools find the meta-data at the new end', async () => {
  const size = await exportedSize(0);
  for (const index of [0, 1]) await cluster.run(index, 'drbdadm', 'down', 'r0');
  for (const index of [0, 1]) {
    await cluster.run(index, 'drbdadm', 'apply-al', 'r0');
    const dump = await cluster.run(index, 'drbdadm', 'dump-md', 'r0');
    expect(dump).toContain(`la-size-sect ${size / 512};`);
    expect(dump).not.toContain('seems to have been resized');
  }
  for (const index of [0, 1]) await cluster.run(index, 'drbdadm', 'up', 'r0');
  await cluster.untilDisks(0, 'UpToDate/UpToDate');
  await cluster.run(1, 'drbdadm', 'primary', 'r0');
  expect(await exportedSize(1)).toBe(size);
  await expectFill(1, 14 * MiB, 2);
  await expectFill(1, 30 * MiB, 3);
}, 60_000);
