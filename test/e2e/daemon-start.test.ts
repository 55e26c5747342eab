/** The daemon comes when it is needed, once, and does not hold on to what belongs to others. */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { hostEnvironment } from '../../src/lab/lab-host';
import { Cluster, daemonsBelow, until } from './cluster';

let cluster: Cluster;
beforeEach(async () => (cluster = await Cluster.create(1)));
afterEach(async () => {
  await cluster.destroy();
  expect(daemonsBelow(cluster.lab.directory)).toEqual([]);
});

test('commands that race start exactly one daemon, and all succeed', async () => {
  const names = Array.from({ length: 6 }, (_, index) => `res${index}`);
  await Promise.all(names.map((name) => cluster.run(0, 'drbdsetup', 'new-resource', name, '0')));
  // Those that came too late leave as soon as they see it.
  await until('one daemon is left', () => daemonsBelow(cluster.lab.directory).length === 1);
  const status = await cluster.run(0, 'drbdsetup', 'status');
  for (const name of names) expect(status).toContain(`${name} role:Secondary`);
}, 60_000);

test('a command substitution does not wait for the daemon it started', async () => {
  const shell = promisify(execFile);
  const began = Date.now();
  const { stdout } = await shell('sh', ['-c', 'x=$(drbdsetup new-resource r0 0); echo "done:$x"'], {
    env: hostEnvironment(cluster.host(0), cluster.lab.configFile),
    timeout: 20_000,
  });
  expect(stdout).toBe('done:\n');
  expect(Date.now() - began).toBeLessThan(15_000);
  expect(daemonsBelow(cluster.lab.directory)).toHaveLength(1);
}, 30_000);

test('what a killed daemon has left does not stop the next one', async () => {
  await cluster.run(0, 'drbdsetup', 'new-resource', 'r0', '0');
  await cluster.run(0, 'drbdsetup', 'new-minor', 'r0', '0', '0');
  const killed = cluster.daemon(0);
  process.kill(killed, 'SIGKILL');
  const { runDirectory } = cluster.host(0);
  expect(fs.existsSync(path.join(runDirectory, 'control.sock'))).toBe(true);
  const status = await cluster.ask(0, 'drbdsetup', 'status');
  expect(`${status.exitCode} ${status.stdout}`).toMatch(/^0 # No currently configured DRBD found/);
  await cluster.run(0, 'drbdsetup', 'new-resource', 'r1', '0');
  expect(cluster.daemon(0)).not.toBe(killed);
  expect(await cluster.run(0, 'drbdsetup', 'status')).not.toContain('r0 ');
  expect(fs.existsSync(path.join(runDirectory, 'drbd0.sock'))).toBe(false);
}, 60_000);

test('SIGTERM takes everything down and removes sockets and pid file', async () => {
  await cluster.run(0, 'drbdadm', 'create-md', '--force', 'r0');
  await cluster.run(0, 'drbdadm', 'up', 'r0');
  const { runDirectory } = cluster.host(0);
  expect(fs.existsSync(path.join(runDirectory, 'by-res/r0/0.sock'))).toBe(true);
  expect(fs.statSync(path.join(runDirectory, 'drbd0.sock')).mode & 0o777).toBe(0o600);
  const pid = cluster.daemon(0);
  process.kill(pid, 'SIGTERM');
  for (let i = 0; i < 200 && daemonsBelow(cluster.lab.directory).length > 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const left = fs.readdirSync(runDirectory).filter((name) => /sock|pid|by-res/.test(name));
  expect(left).toEqual([]);
  // The activity log was closed: nothing to apply.
  expect((await cluster.ask(0, 'drbdadm', 'apply-al', 'r0')).exitCode).toBe(0);
}, 60_000);
