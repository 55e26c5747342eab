import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { addressHash, peerIdOf } from '../../src/drbdsetup/compat84';
import { FakeEngine } from './fake-engine';
import { goldenSnapshots, stateOutputs } from './golden-state';

describe('every recorded question about every recorded state', () => {
  it('is answered as by the real tool', async () => {
    const counts: Record<string, number> = {};
    for (const [name, { state, runs }] of Object.entries(stateOutputs.scenarios)) {
      for (const run of runs) {
        const engine = new FakeEngine();
        engine.snapshots = goldenSnapshots(state);
        // An engine without a list of paths is no longer served by this program; its renderer is tested apart.
        if (state.nopaths && run.argv.join(' ') === 'status --json') continue;
        const outcome = await engine.run(run.argv);
        const expected = { exit: run.exit, stdout: run.stdout, stderr: run.stderr };
        expect([name, run.argv, outcome]).toEqual([name, run.argv, expected]);
        const [command = ''] = run.argv;
        counts[command] = (counts[command] ?? 0) + 1;
      }
    }
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    process.stderr.write(`compared ${total} commands: ${JSON.stringify(counts)}\n`);
    expect(total).toBeGreaterThanOrEqual(180);
  });
});

describe('a host without daemon', () => {
  const nobody = { connections: { connect: () => Promise.resolve(undefined) } };
  it.each([
    [['status'], 0, '# No currently configured DRBD found.\n', ''],
    [['status', 'r0'], 10, '', 'r0: No such resource\n'],
    [['status', '--json'], 0, '[\n]\n\n', ''],
    [['show'], 0, '# No currently configured DRBD found.\n', ''],
    [['events2', '--now'], 0, 'exists -\n', ''],
    [['role', 'r0'], 10, '', 'r0: Unknown resource\n'],
    [['dstate', '0'], 10, '', '0: No such device\n'],
    [['down', 'r0'], 0, '', ''],
    [['down', 'all'], 0, '', ''],
    [['secondary', 'r0'], 0, '', ''],
    [['disconnect', 'r0', '1'], 0, '', ''],
    [['detach', '0'], 0, '', ''],
    [['wait-connect-resource', 'r0'], 0, '', 'r0: Failure: (158) Unknown resource\n'],
  ])('%j', async (argv, exit, stdout, stderr) => {
    expect(await new FakeEngine().run(argv, nobody)).toEqual({ exit, stdout, stderr });
  });
});

describe('down', () => {
  it('goes on after a failure, tells the first one and treats unknown resources as down', async () => {
    const engine = new FakeEngine();
    engine.snapshots = goldenSnapshots({ resources: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] });
    engine.replies = [
      { code: 158, infoTexts: [] },
      { code: -12, infoTexts: ['failed to demote'] },
      { code: 101, infoTexts: [] },
    ];
    expect(await engine.run(['down', 'all'])).toEqual({
      exit: 11,
      stdout: '',
      stderr:
        'all: State change failed: (-12) Device is held open by someone\n' +
        'additional info from kernel:\nfailed to demote\n',
    });
    expect(engine.requests.map((request) => 'resource' in request && request.resource)).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it('forgets which configuration the resource came from', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-down-'));
    for (const name of ['minor-3', 'resource-r0', 'resource-r1']) {
      fs.writeFileSync(path.join(directory, `drbd-${name}.conf`), '');
    }
    const engine = new FakeEngine();
    engine.snapshots = goldenSnapshots({ resources: [{ name: 'r0', devices: [{ vol: 0, minor: 3 }] }] });
    await engine.run(['down', 'r0'], { env: { UDRBD_RUN_DIR: directory } });
    expect(fs.readdirSync(directory)).toEqual(['drbd-resource-r1.conf']);
    fs.rmSync(directory, { recursive: true });
  });
});

describe('check-resize', () => {
  it('remembers a disk with internal meta-data and forgets one with external', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-resize-'));
    const disk = path.join(directory, 'disk');
    fs.writeFileSync(disk, Buffer.alloc(4096));
    const file = path.join(directory, 'lib/drbd-minor-7.lkbd');
    const engine = new FakeEngine();
    const device = { vol: 0, minor: 7, backing: disk };
    const extra = { env: { UDRBD_RUN_DIR: directory } };
    engine.snapshots = goldenSnapshots({ resources: [{ name: 'r0', devices: [device] }] });
    expect((await engine.run(['check-resize', '7'], extra)).exit).toBe(0);
    expect(fs.readFileSync(file, 'utf8')).toBe(`4096\t${disk}\n`);
    fs.appendFileSync(file, 'uuid:\t1122334455667788\n');
    await engine.run(['check-resize', '7'], extra);
    expect(fs.readFileSync(file, 'utf8')).toContain('uuid:');
    fs.appendFileSync(disk, Buffer.alloc(512));
    await engine.run(['check-resize', '7'], extra);
    expect(fs.readFileSync(file, 'utf8')).toBe(`4608\t${disk}\n`);
    expect(await engine.run(['check-resize', '8'], extra)).toEqual({
      exit: 10,
      stdout: '',
      stderr: '8: No such device\n',
    });
    const external = { ...device, disk_conf: { meta_dev_idx: -2 } };
    engine.snapshots = goldenSnapshots({ resources: [{ name: 'r0', devices: [external] }] });
    expect((await engine.run(['check-resize', '7'], extra)).exit).toBe(0);
    expect(fs.existsSync(file)).toBe(false);
    engine.snapshots = goldenSnapshots({
      resources: [{ name: 'r0', devices: [{ ...device, backing: '/nonexistent' }] }],
    });
    expect(await engine.run(['check-resize', '7'], extra)).toEqual({
      exit: 1,
      stdout: '',
      stderr: 'Could not open /nonexistent: No such file or directory.\n',
    });
    fs.rmSync(directory, { recursive: true });
  });
});

describe('addresses instead of node ids (DRBD 8.4)', () => {
  it('are hashed as by the real tool', () => {
    expect(addressHash('ipv4:10.0.0.1:7789')).toBe(-1486614451);
    expect(addressHash('ipv4:10.0.0.2:7789')).toBe(-1814504553);
    expect(peerIdOf('local:ipv4:10.0.0.1:7789', 'ipv4:10.0.0.2:7789')).toBe(0);
    expect(peerIdOf('ipv4:10.0.0.2:7789', 'ipv4:10.0.0.1:7789')).toBe(1);
    expect(() => peerIdOf('1.2.3.4', '1.2.3.4')).toThrow('same hash');
  });

  it('give new-peer, the remembered options, new-path and connect', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-compat-'));
    const disk = path.join(directory, 'disk');
    fs.writeFileSync(disk, '');
    const extra = { env: { UDRBD_RUN_DIR: directory } };
    const engine = new FakeEngine();
    engine.snapshots = goldenSnapshots({ resources: [{ name: 'r0', devices: [{ vol: 0, minor: 7 }] }] });
    const attach = ['attach', '7', disk, disk, 'internal', '--fencing=resource-only', '--c-max-rate=100M'];
    expect((await engine.run(attach, extra)).exit).toBe(0);
    const connect = ['connect', 'r0', 'ipv4:10.0.0.1:7789', 'ipv4:10.0.0.2:7789', '--protocol=A'];
    expect(await engine.run(connect, extra)).toEqual({ exit: 0, stdout: '', stderr: '' });
    const peer = { resource: 'r0', peerNodeId: 0 };
    expect(engine.requests.slice(1)).toEqual([
      { command: 'new-peer', ...peer, options: { _name: 'remote', fencing: 'resource-only', protocol: 'A' } },
      {
        command: 'peer-device-options',
        ...peer,
        volume: 0,
        setDefaults: false,
        options: { 'c-max-rate': 102400 },
      },
      {
        command: 'new-path',
        ...peer,
        local: { family: 'ipv4', host: '10.0.0.1', port: 7789 },
        remote: { family: 'ipv4', host: '10.0.0.2', port: 7789 },
      },
      { command: 'connect', ...peer, tentative: false, discardMyData: false },
    ]);
    fs.rmSync(directory, { recursive: true });
  });
});
