import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { connectToDaemon, ControlClient, type EventReader } from '../../src/control/channel/client';
import { ControlError } from '../../src/control/channel/control-error';
import { ensureRunDirectory, runDirectoryPath, runningPid } from '../../src/control/channel/run-directory';
import { ControlServer, type ControlServerCallbacks } from '../../src/control/channel/server';
import { type ControlEvent } from '../../src/control/contract/events';
import { type ControlRequest } from '../../src/control/contract/requests';
import { sampleSnapshot } from './sample-snapshot';

let directory: string;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-channel-'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  fs.rmSync(directory, { recursive: true, force: true });
});

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);

async function serve(
  callbacks: Partial<ControlServerCallbacks> = {},
  eventBacklog?: number,
): Promise<ControlServer> {
  const server = await ControlServer.listen(
    {
      directory,
      nodeName: 'alpha',
      release: 'test',
      ...(eventBacklog === undefined ? {} : { eventBacklog }),
    },
    {
      onRequest: (_request, respond) => respond({ code: 101, infoTexts: [] }),
      snapshots: () => [],
      ...callbacks,
    },
  );
  if (server === undefined) throw new Error('the lock is taken');
  cleanups.push(() => server.close());
  return server;
}

async function open(): Promise<ControlClient> {
  const { client } = await ControlClient.open(directory);
  cleanups.push(() => client.close());
  return client;
}

async function failureOf(promise: Promise<unknown>): Promise<ControlError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ControlError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** A raw connection: what is sent, and everything that comes back until the end. */
function converse(send: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path.join(directory, 'control.sock'));
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('utf8')));
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
    socket.write(send);
  });
}

const primary: ControlRequest = { command: 'primary', resource: 'r0', force: false };

describe('requests', () => {
  it('are pipelined and may be answered in any order', async () => {
    const held: (() => void)[] = [];
    await serve({
      onRequest: (request, respond) => {
        const reply = (): void =>
          respond({ code: 101, infoTexts: ['resource' in request ? request.resource : ''] });
        held.push(reply);
        if (held.length === 100) held.reverse().forEach((answer) => answer());
      },
    });
    const client = await open();
    const replies = await Promise.all(names(100).map((resource) => client.request({ ...primary, resource })));
    expect(replies.map((reply) => reply.infoTexts[0])).toEqual(names(100));
  });

  it('fail when the daemon goes away while they wait', async () => {
    const server = await serve({ onRequest: () => undefined });
    const client = await open();
    const failure = failureOf(client.request(primary));
    setTimeout(() => void server.close('test over'), 20);
    expect((await failure).message).toBe('test over');
  });

  it('fail after their time is up', async () => {
    await serve({ onRequest: () => undefined });
    const client = await open();
    expect((await failureOf(client.request(primary, 30))).kind).toBe('timeout');
  });
});

describe('the disk state of a minor', () => {
  it('is told, or that there is no such minor', async () => {
    const scopes: unknown[] = [];
    await serve({
      snapshots: (scope) => {
        scopes.push(scope);
        return [sampleSnapshot('r0')];
      },
    });
    const client = await open();
    const [device] = sampleSnapshot('r0').devices;
    expect(await client.diskState(device?.minor ?? -1)).toBe(device?.info.disk);
    expect(await client.diskState(4711)).toBeUndefined();
    expect(scopes).toEqual([{ minor: device?.minor }, { minor: 4711 }]);
  });
});

describe('dumps', () => {
  it('come one resource a message', async () => {
    await serve({
      snapshots: (name) =>
        names(50)
          .filter((n) => name === undefined || n === name)
          .map(sampleSnapshot),
    });
    const client = await open();
    expect(await client.dump()).toEqual(names(50).map(sampleSnapshot));
    expect((await client.dump('r7')).map((snapshot) => snapshot.name)).toEqual(['r7']);
    expect(await client.dump('unknown')).toEqual([]);
  });

  it('may be asked for by a minor', async () => {
    const scopes: unknown[] = [];
    await serve({
      snapshots: (scope) => {
        scopes.push(scope);
        return [sampleSnapshot('r0')];
      },
    });
    const client = await open();
    expect(await client.dump({ minor: 7 })).toHaveLength(1);
    await client.dump('r0');
    await client.dump();
    expect(scopes).toEqual([{ minor: 7 }, 'r0', undefined]);
  });
});

class Recorder implements EventReader {
  readonly events: [number, ControlEvent][] = [];
  ends = 0;
  lost = 0;
  closed: ControlError | undefined;
  onEvent(event: ControlEvent, seq: number): void {
    this.events.push([seq, event]);
  }
  onDumpEnd(): void {
    this.ends += 1;
  }
  onOverrun(lost: number): void {
    this.lost += lost;
  }
  onClosed(error: ControlError): void {
    this.closed = error;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const renamed = (index: number): ControlEvent => ({
  kind: 'resource',
  resource: `r${index}`,
  continues: false,
  action: 'rename',
  newName: 'x'.repeat(1000),
});

describe('events', () => {
  it('follow the dump without a gap', async () => {
    const server = await serve({ snapshots: () => [sampleSnapshot('r0')] });
    const recorder = new Recorder();
    const client = await open();
    client.events(true, recorder);
    await until(() => recorder.ends === 1);
    const kinds = recorder.events.map(([, event]) => event.kind);
    expect(kinds.join(' ')).toBe(
      'resource connection connection path path device device peer-device peer-device peer-device peer-device',
    );
    expect(recorder.events.map(([, event]) => event.continues)).toEqual([...Array(10).fill(true), false]);
    server.publish(renamed(1));
    server.publish(renamed(2));
    await until(() => recorder.events.length === 13);
    expect(recorder.events.slice(11).map(([seq]) => seq)).toEqual([1, 2]);
  });

  it('are wanted from the first that follows them to the end of the last', async () => {
    const wanted: boolean[] = [];
    const onFollowed = (followed: boolean): void => {
      wanted.push(followed);
      // Whatever happens from now on is published.
      if (followed) server.publish(renamed(1));
    };
    const server = await serve({ snapshots: () => [sampleSnapshot('r0')], onFollowed });
    const readers = [new Recorder(), new Recorder(), new Recorder()];
    const clients = [await open(), await open(), await open()];
    clients[0]?.events(false, readers[0] ?? new Recorder());
    await until(() => readers[0]?.ends === 1);
    expect(wanted).toEqual([]);
    for (const index of [1, 2]) {
      clients[index]?.events(true, readers[index] ?? new Recorder());
      await until(() => readers[index]?.ends === 1);
    }
    expect(wanted).toEqual([true]);
    expect(readers[1]?.events.filter(([seq]) => seq > 0)).toHaveLength(1);
    clients[1]?.close();
    clients[2]?.events(false, readers[2] ?? new Recorder());
    await until(() => wanted.length > 1);
    expect(wanted).toEqual([true, false]);
  });

  it('are dropped, and the loss is told, when a reader does not keep up', async () => {
    const server = await serve({ snapshots: () => [sampleSnapshot('r0')] }, 100_000);
    const [slow, fast] = [new Recorder(), new Recorder()];
    const slowClient = await open();
    const fastClient = await open();
    slowClient.events(true, slow);
    fastClient.events(true, fast);
    await until(() => slow.ends === 1 && fast.ends === 1);
    slowClient.pause();
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < 20_000; index++) {
      server.publish(renamed(index));
      if (index % 50 === 0) await until(() => fast.events.length >= index + 11);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    slowClient.resume();
    await until(() => slow.lost > 0);
    expect(slow.events.length - 11 + slow.lost).toBe(20_000);
    expect(fast.lost).toBe(0);
    slowClient.events(true, slow);
    await until(() => slow.ends === 2);
    const seen = slow.events.length;
    server.publish(renamed(20_000));
    await until(() => slow.events.length === seen + 1);
  });
});

describe('a client that breaks the contract', () => {
  it.each([
    ['no JSON', 'hello\n', 'a control message is not JSON'],
    ['an unknown type', '{"type":"bogus","id":1}\n', 'invalid control message'],
    [
      'an unknown command',
      '{"type":"request","id":1,"request":{"command":"halt"}}\n',
      'invalid control message at /request',
    ],
    [
      'a wrong type',
      JSON.stringify({ type: 'request', id: 1, request: { ...primary, force: 1 } }) + '\n',
      'at /request/force: must be boolean',
    ],
    [
      'an unknown property',
      JSON.stringify({ type: 'events', id: 1, live: true, x: 1 }) + '\n',
      'must NOT have additional properties',
    ],
    ['a message without end', Buffer.alloc(100_000, 65), 'longer than 65536 bytes'],
    ['random bytes', Buffer.from([0, 255, 254, 10]), 'not JSON'],
  ])('is told why and cut off: %s', async (_what, send, reason) => {
    await serve();
    const heard = await converse(send);
    expect(heard.split('\n')[1]).toContain(reason);
    expect((await (await open()).request(primary)).code).toBe(101);
  });
});

describe('a client that asks and does not read', () => {
  it('is answered only as fast as it reads, and in the end completely', async () => {
    let made = 0;
    await serve(
      {
        *snapshots() {
          made += 1;
          for (const name of names(200)) yield sampleSnapshot(name);
        },
      },
      100_000,
    );
    const socket = net.connect(path.join(directory, 'control.sock'));
    cleanups.push(() => socket.destroy());
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    socket.pause();
    const asked = 3000;
    const before = process.memoryUsage();
    for (let id = 1; id <= asked; id++) socket.write(`${JSON.stringify({ type: 'dump', id })}\n`);
    await until(() => made > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(made).toBeLessThan(20);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(20_000_000);
    let tail = '';
    let heard = 0;
    const wanted = 40;
    socket.on('data', (chunk: Buffer) => {
      const text = tail + chunk.toString('latin1');
      heard += text.split('"dump-end"').length - 1;
      tail = text.slice(-9).replace('dump-end', '');
    });
    socket.resume();
    await until(() => heard >= wanted);
    expect(made).toBeLessThan(heard + 20);
  });

  it('gets every answer although it asks thousands of questions at once', async () => {
    const held: (() => void)[] = [];
    await serve({ onRequest: (_request, respond) => held.push(() => respond({ code: 101, infoTexts: [] })) });
    const client = await open();
    const replies = Promise.all(names(10_000).map((resource) => client.request({ ...primary, resource })));
    await until(() => held.length === 4096);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(held).toHaveLength(4096);
    let answered = 0;
    while (answered < 10_000) {
      for (const answer of held.splice(0)) {
        answer();
        answered += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(await replies).toHaveLength(10_000);
  });
});

describe('a message of the client', () => {
  const sized = (bytes: number): string => {
    const text = JSON.stringify({ type: 'request', id: 1, request: primary });
    return `${text}${' '.repeat(bytes - text.length)}\n`;
  };

  it('may have 64 KiB, and not a byte more', async () => {
    await serve();
    const most = await converse(`${sized(65_536)}bye\n`);
    expect(most.split('\n')[1]).toBe('{"type":"reply","id":1,"reply":{"code":101,"infoTexts":[]}}');
    expect((await converse(sized(65_537))).split('\n')[1]).toContain('longer than 65536 bytes');
  });
});

describe('many clients at once', () => {
  it('all get their answers and the same events', async () => {
    const server = await serve({ snapshots: () => names(20).map(sampleSnapshot) });
    const readers = await Promise.all(
      names(200).map(async () => {
        const recorder = new Recorder();
        const client = await open();
        client.events(true, recorder);
        const replies = await Promise.all(
          names(20).map((resource) => client.request({ ...primary, resource })),
        );
        expect(replies.map((reply) => reply.code)).toEqual(Array(20).fill(101));
        return recorder;
      }),
    );
    await until(() => readers.every((recorder) => recorder.ends === 1));
    for (let index = 0; index < 10; index++) server.publish(renamed(index));
    await until(() => readers.every((recorder) => recorder.events.length === 230));
    for (const { events } of readers)
      expect(events.slice(220).map(([seq]) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('a daemon with too many clients', () => {
  it('refuses another one, and no second daemon is started for it', async () => {
    const server = await ControlServer.listen(
      { directory, nodeName: 'alpha', release: 'test', maxClients: 2 },
      { onRequest: () => undefined, snapshots: () => [] },
    );
    cleanups.push(() => server?.close());
    await open();
    await open();
    const env = { UDRBD_RUN_DIR: directory, UDRBD_DRBDD: '/bin/false' };
    const failure = await failureOf(connectToDaemon({ env, start: true }));
    expect([failure.kind, failure.message]).toEqual(['refused', 'too many clients']);
  });
});

describe('a daemon that breaks the contract', () => {
  it.each([
    ['no JSON', 'x\n', 'not JSON'],
    ['another version', '{"type":"hello","version":1,"pid":1,"nodeName":"a","release":"1"}\n', 'version'],
    ['a message without end', Buffer.alloc(17 * 1024 * 1024, 65), 'too long'],
  ])('is refused: %s', async (_what, answer, reason) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(answer);
    });
    await new Promise<void>((resolve) => server.listen(path.join(directory, 'control.sock'), resolve));
    cleanups.push(() => server.close());
    const failure = await failureOf(open());
    expect([failure.kind, failure.message]).toEqual(['protocol', expect.stringContaining(reason)]);
  });
});

describe('the run directory', () => {
  it('comes from the environment', () => {
    expect(runDirectoryPath({ UDRBD_RUN_DIR: '/x/y' })).toBe('/x/y');
    expect(runDirectoryPath({ XDG_RUNTIME_DIR: '/run/user/7' })).toBe(
      process.geteuid?.() === 0 ? '/run/udrbd' : '/run/user/7/udrbd',
    );
  });

  it('is made with mode 0700, its socket with 0600', async () => {
    directory = path.join(directory, 'made');
    await serve();
    const mode = (name: string): number => fs.lstatSync(path.join(directory, name)).mode & 0o777;
    expect([mode('.'), mode('control.sock'), mode('drbdd.pid')]).toEqual([0o700, 0o600, 0o600]);
    expect(runningPid(directory)).toBe(process.pid);
  });

  it('is refused if it is a symbolic link or if its socket path is too long', async () => {
    const link = path.join(directory, 'link');
    fs.symlinkSync(directory, link);
    expect(() => ensureRunDirectory(link)).toThrow('is a symbolic link');
    const long = path.join(directory, 'x'.repeat(100));
    const failure = await failureOf(connectToDaemon({ env: { UDRBD_RUN_DIR: long }, start: false }));
    expect(failure.message).toMatch(/has 1\d\d bytes, at most 107 are possible/);
  });

  const isRoot = process.geteuid?.() === 0;
  if (!isRoot) process.stderr.write('SKIPPED: not root, the daemon was not attacked as a second user\n');
  (isRoot ? it : it.skip)('keeps a second user out', async () => {
    fs.chmodSync(directory, 0o755);
    directory = path.join(directory, 'inner');
    await serve();
    const attempt = (code: string): string =>
      spawnSync(process.execPath, ['-e', code, directory], { uid: 65534, gid: 65534, encoding: 'utf8' })
        .stdout;
    expect(
      attempt(
        "require('net').connect(process.argv[1] + '/control.sock').on('error', (e) => console.log(e.code))",
      ),
    ).toBe('EACCES\n');
    fs.chmodSync(directory, 0o711);
    expect(
      attempt(
        "require('net').connect(process.argv[1] + '/control.sock').on('error', (e) => console.log(e.code))",
      ),
    ).toBe('EACCES\n');
    fs.chmodSync(directory, 0o700);
  });

  (isRoot ? it : it.skip)('of another user is refused before anything is sent', () => {
    fs.chmodSync(directory, 0o755);
    const bundle = path.join(directory, 'client.cjs');
    bundleFile('src/control/channel/client.ts', bundle);
    const code = `require(${JSON.stringify(bundle)}).connectToDaemon({env: {UDRBD_RUN_DIR: ${JSON.stringify(directory)}}, start: true}).catch((e) => console.log(e.message))`;
    const { stdout } = spawnSync(process.execPath, ['-e', code], {
      uid: 65534,
      gid: 65534,
      encoding: 'utf8',
    });
    expect(stdout).toContain('belongs to user 0, not to user 65534');
  });
});

const root = path.join(__dirname, '../..');
function bundleFile(entry: string, outfile: string): void {
  buildSync({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    banner: { js: '#!/usr/bin/env node' },
    logLevel: 'silent',
  });
}

describe('starting the daemon', () => {
  let program: string;
  let env: Record<string, string>;

  beforeEach(() => {
    program = path.join(directory, 'drbdd.cjs');
    bundleFile('test/control/fake-daemon.ts', program);
    fs.chmodSync(program, 0o755);
    env = { PATH: process.env.PATH ?? '', UDRBD_RUN_DIR: path.join(directory, 'run'), UDRBD_DRBDD: program };
    cleanups.push(() => {
      const pid = runningPid(path.join(directory, 'run'));
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    });
  });

  const starts = (): string[] =>
    fs.readFileSync(path.join(directory, 'run/starts'), 'utf8').trim().split('\n');
  const connect = async (): Promise<ControlClient> => {
    const client = await connectToDaemon({ env, start: true });
    cleanups.push(() => client.close());
    return client;
  };

  it('happens only on demand', async () => {
    expect((await failureOf(connectToDaemon({ env, start: false }))).kind).toBe('no-daemon');
    expect((await (await connect()).request(primary)).infoTexts).toEqual(['primary']);
  });

  it('leaves exactly one when many clients race', async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, connect));
    for (const client of clients) expect((await client.request(primary)).code).toBe(101);
    await until(() => starts().length === 6);
    expect(starts().filter((line) => line.endsWith('serves'))).toHaveLength(1);
  });

  it('recovers from a daemon that was killed', async () => {
    await connect();
    const first = Number(starts()[0]?.split(' ')[0]);
    process.kill(first, 'SIGKILL');
    await until(() => runningPid(path.join(directory, 'run')) === undefined);
    expect(fs.existsSync(path.join(directory, 'run/control.sock'))).toBe(true);
    expect((await (await connect()).request(primary)).code).toBe(101);
    expect(starts().map((line) => line.split(' ')[1])).toEqual(['serves', 'serves']);
  });

  it('says why it failed', async () => {
    fs.writeFileSync(program, '#!/bin/sh\necho "no such luck" >&2\nexit 3\n');
    const failure = await failureOf(connect());
    expect(failure.kind).toBe('start-failed');
    expect(failure.message).toContain('exit code 3\nno such luck');
    fs.rmSync(program);
    expect((await failureOf(connect())).message).toContain('ENOENT');
  });

  it('detaches: no descriptor, group or pipe of the client lives on in it', async () => {
    const bundle = path.join(directory, 'client.cjs');
    bundleFile('src/control/channel/client.ts', bundle);
    const code = `require(${JSON.stringify(bundle)}).connectToDaemon({env: process.env, start: true}).then((c) => c.close())`;
    // Descriptor 9 stands for a lock that a script holds open; stdout for $(...).
    const shell = spawn(
      '/bin/sh',
      ['-c', 'exec 9>"$0/lock"; "$1" -e "$2"; exec 9>&-', directory, process.execPath, code],
      {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await new Promise((resolve) => shell.on('close', resolve));
    const pid = runningPid(path.join(directory, 'run')) ?? 0;
    const open = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
    expect(open.filter((target) => target.endsWith('/lock'))).toEqual([]);
    const session = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[5];
    expect(Number(session)).toBe(pid);
  });
});
