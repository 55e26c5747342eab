/**
 * Three daemons with `quorum majority` are killed, disconnected, detached and taken down at random while one of them is
 * written: no acknowledged write is lost, and all come to rest with equal disks.
 * UDRBD_SOAK_SECONDS (120) and UDRBD_SOAK_SEED say how long and which.
 */
import fs from 'node:fs';
import { labConfiguration } from '../../src/lab/lab-configuration';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { makeReady } from '../../src/lab/ready-cluster';
import { Cluster, until } from '../e2e/cluster';
import { RandomFaults, RandomNumbers } from './random-faults';
import { BLOCK_BYTES, bytesOf, WrittenBlocks } from './written-blocks';

const HOSTS = 3;
const BLOCKS = 2048;
const BLOCKS_AT_ONCE = 64;
const PATIENCE = 60_000;
const SECONDS = Number(process.env.UDRBD_SOAK_SECONDS ?? 120);
const SEED = Number(process.env.UDRBD_SOAK_SEED ?? Date.now() % 100_000);

const random = new RandomNumbers(SEED);
const blocks = new WrittenBlocks(BLOCKS);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const log = (line: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`);
};

async function orTimeout<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes too long`)), PATIENCE);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
const open = (cluster: Cluster, host: number): Promise<NbdClient> =>
  orTimeout(NbdClient.open(deviceSocket(cluster.host(host), 0)), 'opening');

async function readAll(cluster: Cluster, host: number): Promise<void> {
  const client = await open(cluster, host);
  for (let first = 0; first < BLOCKS; first += BLOCKS_AT_ONCE) {
    const bytes = await orTimeout(
      client.read(first * BLOCK_BYTES, BLOCKS_AT_ONCE * BLOCK_BYTES),
      `reading block ${first}`,
    );
    for (let index = 0; index < BLOCKS_AT_ONCE; index++)
      blocks.read(first + index, bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES));
  }
  await client.close();
}
/** Why it ended before its time, if it did: its host may have died or lost quorum. */
async function writeFor(cluster: Cluster, host: number, ms: number): Promise<string> {
  const end = Date.now() + ms;
  try {
    const client = await open(cluster, host);
    while (Date.now() < end) {
      const block = random.below(BLOCKS);
      const version = blocks.begin(block);
      await orTimeout(client.write(block * BLOCK_BYTES, bytesOf(block, version)), `writing block ${block}`);
      blocks.acknowledge(block, version);
    }
    await client.close();
    return 'wrote';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
async function round(cluster: Cluster, faults: RandomFaults): Promise<void> {
  const host = random.below(HOSTS);
  if (faults.runs(host)) {
    const { exitCode } = await cluster.ask(host, 'drbdadm', 'primary', 'r0');
    log(`${cluster.host(host).name}: primary: exit ${exitCode}`);
    if (exitCode === 0) {
      await readAll(cluster, host);
      const writer = writeFor(cluster, host, 1500 + random.below(2000));
      await pause(random.below(1000));
      await faults.one();
      if (random.below(2) === 0) await faults.one();
      log(await writer);
      if (faults.runs(host)) await cluster.ask(host, 'drbdadm', 'secondary', 'r0');
    }
  }
  if (random.below(3) === 0) await faults.revive();
  await pause(random.below(1500));
}
async function comeToRest(cluster: Cluster, faults: RandomFaults): Promise<void> {
  await faults.end();
  for (let host = 0; host < HOSTS; host++)
    await until(
      `${cluster.host(host).name} in sync with all`,
      async () =>
        (await cluster.ask(host, 'drbdadm', 'dstate', 'r0')).stdout.trim() === 'UpToDate/UpToDate/UpToDate',
      PATIENCE,
    );
  const [first, ...others] = Array.from({ length: HOSTS }, (_, host) =>
    fs.readFileSync(cluster.host(host).disk).subarray(0, BLOCKS * BLOCK_BYTES),
  );
  for (const other of others) expect(first?.equals(other)).toBe(true);
  log(`at rest after ${blocks.versions} writes`);
}

test(
  'what was acknowledged stays, whatever happens to the daemons',
  async () => {
    log(`seed ${SEED}, ${SECONDS} seconds`);
    const cluster = await Cluster.create(HOSTS, (hosts) =>
      labConfiguration(hosts).replace(
        'resource r0 {',
        'resource r0 {\n    options { quorum majority; on-no-quorum io-error; }',
      ),
    );
    try {
      await makeReady(cluster.lab);
      const faults = new RandomFaults(cluster, HOSTS, random, log);
      const end = Date.now() + SECONDS * 1000;
      for (let rounds = 1; Date.now() < end; rounds++) {
        await round(cluster, faults);
        if (rounds % 10 === 0) await comeToRest(cluster, faults);
      }
      await comeToRest(cluster, faults);
    } catch (error) {
      process.stderr.write(cluster.logs(1000));
      throw error;
    } finally {
      await cluster.destroy();
    }
  },
  (SECONDS + 600) * 1000,
);
