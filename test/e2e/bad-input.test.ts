/** What goes wrong gets a clear error, the real tool's exit code where it has one, and nothing is lost. */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { Cluster, until } from './cluster';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.ready(2);
  const client = await NbdClient.open(deviceSocket(cluster.host(0), 0));
  await client.write(0, Buffer.alloc(4096, 0x42));
  await client.close();
}, 60_000);
afterAll(() => cluster.destroy());
afterEach(async () => {
  // Whatever happened: the data is there and the hosts find each other again.
  await cluster.run(0, 'drbdadm', 'adjust', 'r0');
  await cluster.untilDisks(0, 'UpToDate/UpToDate');
  const client = await NbdClient.open(deviceSocket(cluster.host(0), 0));
  expect((await client.read(0, 4096)).equals(Buffer.alloc(4096, 0x42))).toBe(true);
  await client.close();
}, 60_000);

const all = ({ exitCode, stdout, stderr }: { exitCode: number; stdout: string; stderr: string }): string =>
  `${exitCode}\n${stderr}${stdout}`;

test('an unknown resource', async () => {
  expect(all(await cluster.ask(0, 'drbdadm', 'up', 'nope'))).toMatch(
    /^1\n'nope' not defined in your config \(for this host\)\.\n$/,
  );
  expect(all(await cluster.ask(0, 'drbdsetup', 'primary', 'nope'))).toMatch(
    /^10\n.*\(158\) Unknown resource/s,
  );
});

test('a broken configuration', async () => {
  const file = path.join(cluster.lab.directory, 'broken.conf');
  fs.writeFileSync(file, 'resource r0 {\n  net { protocl C; }\n}\n');
  const answer = all(await cluster.ask(0, 'drbdadm', '-c', file, 'up', 'r0'));
  expect(answer).toMatch(
    /^10\n.*broken\.conf:2: Parse error: 'an option keyword' expected,\n\tbut got 'protocl'/s,
  );
  expect(answer).toMatch(/did you mean 'protocol'/);
  expect(all(await cluster.ask(0, 'drbdadm', '-c', `${file}.none`, 'up', 'r0'))).toMatch(/^20\nCan not open/);
  fs.rmSync(file);
});

test('a missing disk: up says so and fails, and works when the disk is back', async () => {
  const { disk } = cluster.host(0);
  await cluster.run(0, 'drbdadm', 'down', 'r0');
  fs.renameSync(disk, `${disk}.away`);
  const answer = all(await cluster.ask(0, 'drbdadm', 'up', 'r0'));
  expect(answer).not.toMatch(/^0\n/);
  expect(answer).toContain(`open(${disk}) failed: No such file or directory`);
  fs.renameSync(`${disk}.away`, disk);
}, 60_000);

test('a disk without meta-data is not attached', async () => {
  const { disk } = cluster.host(0);
  await cluster.run(0, 'drbdadm', 'down', 'r0');
  fs.renameSync(disk, `${disk}.away`);
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 16 * 1024 * 1024);
  expect(all(await cluster.ask(0, 'drbdadm', 'up', 'r0'))).toMatch(/^[1-9]\d*\n.*No valid meta data found/s);
  expect(await cluster.run(0, 'drbdadm', 'dstate', 'r0')).toMatch(/^Diskless/);
  await cluster.run(0, 'drbdadm', 'down', 'r0');
  fs.renameSync(`${disk}.away`, disk);
}, 60_000);

test('a busy port: the connection gives up and says why; the device works', async () => {
  const { address, port, runDirectory } = cluster.host(0);
  await cluster.run(0, 'drbdadm', 'disconnect', 'r0');
  const squatter = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => squatter.listen({ host: address, port }, resolve));
  await cluster.run(0, 'drbdadm', 'connect', 'r0');
  await until('it stands alone', async () =>
    /StandAlone/.test(await cluster.run(0, 'drbdadm', 'cstate', 'r0')),
  );
  await new Promise((resolve) => squatter.close(resolve));
  expect(fs.readFileSync(path.join(runDirectory, 'drbdd.log'), 'utf8')).toMatch(
    /Failed to initiate connection, err=-98/,
  );
}, 60_000);

test('control messages that are no messages: the sender is told and sent away, others are served', async () => {
  const file = path.join(cluster.host(0).runDirectory, 'control.sock');
  for (const [text, reason] of [
    ['this is not JSON\n', /not JSON/],
    ['{"type":"request","id":1,"request":{"command":"format-disk"}}\n', /invalid control message/],
    [`${'x'.repeat(100_000)}\n`, /longer than/],
  ] as const) {
    const socket = net.connect(file);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
    socket.write(text);
    await closed;
    expect(answer).toMatch(reason);
  }
  expect(await cluster.run(0, 'drbdadm', 'role', 'r0')).toMatch(/Secondary|Primary/);
});

test('garbage on the port of a peer, also while the peers are reconnecting', async () => {
  const pid = cluster.daemon(0);
  const { address, port } = cluster.host(0);
  const send = (bytes: Buffer, from: string): Promise<void> =>
    new Promise((resolve) => {
      const socket = net.connect({ host: address, port, localAddress: from });
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      socket.on('connect', () => {
        socket.write(bytes);
        setTimeout(() => socket.destroy(), 100);
      });
    });
  await cluster.run(1, 'drbdadm', 'disconnect', 'r0');
  const peer = cluster.host(1).address;
  const packets = [
    Buffer.alloc(3, 0xff),
    Buffer.alloc(70_000, 0xa5),
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    // A first packet that is right (P_INITIAL_DATA), then nonsense.
    Buffer.concat([Buffer.from('8620ec2000150000', 'hex'), Buffer.alloc(500, 0x5a)]),
  ];
  for (const packet of packets) {
    await send(packet, peer);
    await send(packet, '127.0.0.1');
  }
  await cluster.run(1, 'drbdadm', 'connect', 'r0');
  await cluster.untilDisks(1, 'UpToDate/UpToDate');
  expect(cluster.daemon(0)).toBe(pid);
}, 60_000);

test('a daemon that was killed: status says that nothing is configured, adjust brings all back', async () => {
  const pid = cluster.daemon(0);
  process.kill(pid, 'SIGKILL');
  await until('it is gone', () => !fs.existsSync(`/proc/${pid}/environ`));
  const status = await cluster.ask(0, 'drbdadm', 'status', 'r0');
  expect(all(status)).toMatch(/^10\n.*r0: No such resource/s);
  await cluster.run(0, 'drbdadm', 'up', 'r0');
}, 60_000);
