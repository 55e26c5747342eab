import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { drbdadm } from './run-drbdadm';

// The example of a three-node resource; what runs is exactly what is configured, until a test changes one of them.
const config = `global { usage-count no; disable-ip-verification; }
common { options { quorum majority; } disk { c-max-rate 100M; al-extents 6433; } }
resource r1 {
  volume 0 { device minor 10; disk /dev/vg/r1_0; meta-disk /dev/vg/md [3]; }
  volume 1 { device minor 11; disk /dev/vg/r1_1; disk { size 10G; c-plan-ahead 0; } }
  on alpha { node-id 0; address 10.0.0.1:7790; }
  on beta  { node-id 1; address 10.0.0.2:7790; }
  on gamma { node-id 2; address 10.0.0.3:7790; volume 0 { disk none; } volume 1 { disk none; } }
  connection-mesh { hosts alpha beta gamma; }
  net { ping-int 5; verify-alg md5; }
}
`;

function peer(id: number, name: string, address: string, state: string, options: readonly string[]): string {
  const volume = (vnr: number, more: string): string =>
    `volume ${vnr} { disk { c-max-rate 102400k; ${more} ${options.join(' ')} } }`;
  return `connection { _peer_node_id ${id};
    path { _this_host ipv4 10.0.0.1:7790; _remote_host ipv4 ${address}:7790; }
    _cstate ${state};
    net { verify-alg "md5"; ping-int 5; _name "${name}"; }
    ${volume(0, '')} ${volume(1, 'c-plan-ahead 0;')} }
`;
}

function running(states: { beta?: string; gamma?: string } = {}): string {
  return `resource "r1" {
  options { quorum majority; }
  _this_host { node-id 0;
    volume 0 { device minor 10; disk "/dev/vg/r1_0"; meta-disk "/dev/vg/md" [ 3 ]; disk { al-extents 6433; } }
    volume 1 { device minor 11; disk "/dev/vg/r1_1"; meta-disk internal; disk { size 20971520s; al-extents 6433; } }
  }
  ${peer(1, 'beta', '10.0.0.2', states.beta ?? 'Connected', [])}
  ${peer(2, 'gamma', '10.0.0.3', states.gamma ?? 'Connecting', ['bitmap no;'])}
}
`;
}

let directory = '';
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-adjust-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

async function adjust(
  configured: string,
  shown: string,
  ...options: readonly string[]
): Promise<readonly string[]> {
  const file = path.join(directory, 'drbd.conf');
  const show = path.join(directory, 'show');
  fs.writeFileSync(file, configured);
  fs.writeFileSync(show, shown);
  const answer = await drbdadm('alpha', ['-c', file, '-d', 'adjust', 'r1', ...options], {
    FAKE_DRBDSETUP_SHOW: show,
  });
  expect(answer.stderr).toBe('');
  expect(answer.exit).toBe(0);
  return answer.stdout.split('\n').filter((line) => line !== '');
}

const wait = 'wait-connect-connection r1 2 --wfc-timeout 1 --degr-wfc-timeout 1 --outdated-wfc-timeout 1';

// The commands of the real tool for each change (drbdadm.md 11.2, "checked examples").
test('nothing changed: nothing to do', async () => {
  expect(await adjust(config, running())).toEqual([]);
});

test('changed options are set for what they belong to, peers that work last', async () => {
  expect(await adjust(config.replace('al-extents 6433', 'al-extents 1237'), running())).toEqual([
    'drbdsetup disk-options 10 --set-defaults --al-extents=1237',
    'drbdsetup disk-options 11 --set-defaults --size=10G --al-extents=1237',
  ]);
  expect(await adjust(config.replace('quorum majority', 'quorum all'), running())).toEqual([
    'drbdsetup resource-options r1 --set-defaults --quorum=all',
  ]);
  expect(await adjust(config.replace('ping-int 5', 'ping-int 7'), running())).toEqual([
    'drbdsetup net-options r1 2 --set-defaults --_name=gamma --verify-alg=md5 --ping-int=7',
    'drbdsetup net-options r1 1 --set-defaults --_name=beta --verify-alg=md5 --ping-int=7',
  ]);
});

test('another disk: detach and attach; no disk: only detach', async () => {
  expect(await adjust(config.replace('/dev/vg/r1_0', '/dev/vg/NEW'), running())).toEqual([
    'drbdsetup detach --diskless 10',
    'drbdmeta 10 v09 /dev/vg/md 3 repair-md',
    'drbdmeta 10 v09 /dev/vg/md 3 apply-al',
    'drbdsetup attach 10 /dev/vg/NEW /dev/vg/md 3 --al-extents=6433',
  ]);
});

test('a new size: resize', async () => {
  expect(await adjust(config.replace('size 10G', 'size 11G'), running())).toEqual([
    'drbdsetup resize 11 --size=11G',
    'drbdsetup check-resize 11',
  ]);
  expect(await adjust(config.replace('size 10G;', ''), running())).toEqual([
    'drbdsetup resize 11',
    'drbdsetup check-resize 11',
  ]);
});

test('a volume that is gone: detach and delete its minor', async () => {
  const fewer = config.replace(/ {2}volume 1 .*\n/, '').replace(' volume 1 { disk none; }', '');
  expect(await adjust(fewer, running())).toEqual([
    'drbdsetup detach --diskless 11',
    'drbdsetup del-minor 11',
  ]);
});

test('another minor: the new one exists before the old one goes', async () => {
  expect(await adjust(config.replace('minor 10', 'minor 20'), running())).toEqual([
    'drbdsetup new-minor r1 20 0',
    'drbdsetup peer-device-options r1 1 0 --set-defaults --c-max-rate=100M',
    'drbdsetup peer-device-options r1 2 0 --set-defaults --c-max-rate=100M --bitmap=no',
    'drbdsetup detach --diskless 10',
    'drbdsetup del-minor 10',
    'drbdmeta 20 v09 /dev/vg/md 3 repair-md',
    'drbdmeta 20 v09 /dev/vg/md 3 apply-al',
    'drbdsetup attach 20 /dev/vg/r1_0 /dev/vg/md 3 --al-extents=6433',
  ]);
});

test('a moved peer: its connection is interrupted, the path replaced', async () => {
  expect(await adjust(config.replace('10.0.0.2:7790', '10.0.0.2:7799'), running())).toEqual([
    'drbdsetup disconnect r1 1',
    'drbdsetup del-path r1 1 ipv4:10.0.0.1:7790 ipv4:10.0.0.2:7790',
    'drbdsetup new-path r1 1 ipv4:10.0.0.1:7790 ipv4:10.0.0.2:7799',
    'drbdsetup connect r1 1',
  ]);
});

test('moving ourselves: one connection at a time, the one that works last and only after the other has had a chance', async () => {
  expect(await adjust(config.replace('10.0.0.1:7790', '10.0.0.1:7799'), running())).toEqual([
    'drbdsetup disconnect r1 2',
    'drbdsetup del-path r1 2 ipv4:10.0.0.1:7790 ipv4:10.0.0.3:7790',
    'drbdsetup new-path r1 2 ipv4:10.0.0.1:7799 ipv4:10.0.0.3:7790',
    'drbdsetup connect r1 2',
    `drbdsetup ${wait}`,
    'drbdsetup disconnect r1 1',
    'drbdsetup del-path r1 1 ipv4:10.0.0.1:7790 ipv4:10.0.0.2:7790',
    'drbdsetup new-path r1 1 ipv4:10.0.0.1:7799 ipv4:10.0.0.2:7790',
    'drbdsetup connect r1 1',
  ]);
});

test('a peer that is gone is deleted, unless another peer was named', async () => {
  const without = config.replace(/ {2}on gamma .*\n/, '').replace('beta gamma', 'beta');
  expect(await adjust(without, running())).toEqual(['drbdsetup del-peer r1 2']);
});

test('a replaced peer: the new one is waited for before the old one goes', async () => {
  const replaced = config.replace('on gamma { node-id 2', 'on gamma { node-id 3');
  expect(await adjust(replaced, running())).toEqual([
    'drbdsetup new-peer r1 3 --_name=gamma --verify-alg=md5 --ping-int=5',
    'drbdsetup new-path r1 3 ipv4:10.0.0.1:7790 ipv4:10.0.0.3:7790',
    'drbdsetup peer-device-options r1 3 0 --set-defaults --c-max-rate=100M --bitmap=no',
    'drbdsetup peer-device-options r1 3 1 --set-defaults --c-max-rate=100M --c-plan-ahead=0 --bitmap=no',
    'drbdsetup connect r1 3',
    `drbdsetup ${wait.replace('r1 2', 'r1 3')}`,
    'drbdsetup del-peer r1 2',
  ]);
});

test('another transport: the peer is made anew', async () => {
  const lines = await adjust(config.replace('ping-int 5;', 'ping-int 5; transport tcp;'), running());
  expect(lines.map((line) => line.split(' ').slice(0, 4).join(' '))).toEqual([
    'drbdsetup del-peer r1 2',
    'drbdsetup new-peer r1 2',
    'drbdsetup new-path r1 2',
    'drbdsetup peer-device-options r1 2',
    'drbdsetup peer-device-options r1 2',
    'drbdsetup connect r1 2',
    'drbdsetup wait-connect-connection r1 2',
    'drbdsetup del-peer r1 1',
    'drbdsetup new-peer r1 1',
    'drbdsetup new-path r1 1',
    'drbdsetup peer-device-options r1 1',
    'drbdsetup peer-device-options r1 1',
    'drbdsetup connect r1 1',
  ]);
});

test('a peer that stands alone is connected', async () => {
  expect(await adjust(config, running({ gamma: 'StandAlone' }))).toEqual(['drbdsetup connect r1 2']);
});

test('--skip-net and --skip-disk leave out their half', async () => {
  const both = config.replace('al-extents 6433', 'al-extents 1237').replace('ping-int 5', 'ping-int 7');
  const disk = ['disk-options', 'disk-options'];
  const net = ['net-options', 'net-options'];
  const commands = async (...options: readonly string[]): Promise<readonly (string | undefined)[]> =>
    (await adjust(both, running(), ...options)).map((line) => line.split(' ')[1]);
  expect(await commands('--skip-net')).toEqual(disk);
  expect(await commands('--skip-disk')).toEqual(net);
  expect(await commands()).toEqual([...net, ...disk]);
});
