import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readState } from '../../src/lab/demo/device-state';
import { Narrator, DemoFailure } from '../../src/lab/demo/narrator';
import { placeWalkthrough } from '../../src/lab/demo/walkthrough-configuration';
import { createLab, defaultDirectory, destroyLab, loadLab, LabError } from '../../src/lab/lab';
import { hostNames, labConfiguration } from '../../src/lab/lab-configuration';
import { hostEnvironment, programDirectory } from '../../src/lab/lab-host';
import { parseSize } from '../../src/lab/size-text';

const walkthrough = fs.readFileSync(path.join(__dirname, '../../fixtures/config/walkthrough.conf'), 'utf8');
let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-lab-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const plan = (directory: string, count = 2) => ({
  directory,
  names: hostNames(count),
  size: 1024 * 1024,
  configuration: labConfiguration,
});

test.each([
  ['64M', 64 * 1024 * 1024],
  ['1g', 1024 ** 3],
  ['4096', 4096],
  ['10KiB', 10240],
  ['M', undefined],
  ['1.5G', undefined],
  ['99999999T', undefined],
])('the size %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

describe("the walkthrough's configuration", () => {
  const host = (name: string) => ({
    name,
    directory: `/x/${name}`,
    runDirectory: `/x/${name}/run`,
    disk: `/x/${name}/disk`,
    address: '127.1.2.3',
    port: 7788,
  });
  test('changes in addresses and disks only', () => {
    const placed = placeWalkthrough(walkthrough, [host('node1'), host('node2')]).split('\n');
    const original = walkthrough.split('\n');
    expect(placed).toHaveLength(original.length);
    const changed = placed.filter((line, index) => line !== original[index]);
    expect(changed.sort()).toEqual([
      'address 127.1.2.3:7788;',
      'address 127.1.2.3:7788;',
      'disk "/x/node1/disk";',
      'disk "/x/node2/disk";',
    ]);
  });
  test('must name every host', () => {
    expect(() => placeWalkthrough(walkthrough, [host('node1'), host('node3')])).toThrow(/does not name/);
  });
});

describe('a lab', () => {
  test('has directories, sparse disks, addresses and a configuration; all go away', async () => {
    const directory = path.join(folder, 'deep/lab');
    const lab = await createLab(plan(directory, 3));
    expect(lab.hosts.map(({ name }) => name)).toEqual(['alpha', 'beta', 'gamma']);
    expect(new Set(lab.hosts.map(({ address }) => address)).size).toBe(3);
    for (const { disk, runDirectory } of lab.hosts) {
      expect(fs.statSync(disk)).toMatchObject({ size: 1024 * 1024, blocks: 0 });
      expect(fs.statSync(runDirectory).mode & 0o777).toBe(0o700);
    }
    expect(fs.readFileSync(lab.configFile, 'utf8')).toContain('connection-mesh { hosts alpha beta gamma; }');
    expect(loadLab(directory)).toEqual(lab);
    await expect(createLab(plan(directory))).rejects.toThrow(LabError);
    await destroyLab(lab);
    expect(fs.readdirSync(folder)).toEqual([]);
  });
  test('does not move into a directory with files of somebody else, and leaves such files alone', async () => {
    fs.writeFileSync(path.join(folder, 'mine'), '');
    await expect(createLab(plan(folder))).rejects.toThrow(/is not empty/);
    const directory = path.join(folder, 'lab');
    const lab = await createLab(plan(directory));
    fs.writeFileSync(path.join(directory, 'note'), '');
    await destroyLab(lab);
    expect(fs.readdirSync(directory)).toEqual(['note']);
  });
  test('refuses a place where sockets would not fit', async () => {
    await expect(createLab(plan(path.join(folder, 'x'.repeat(100))))).rejects.toThrow(/too long for sockets/);
    expect(fs.readdirSync(folder)).toEqual([]);
  });
  test('its hosts find our programs first', async () => {
    const lab = await createLab(plan(path.join(folder, 'lab')));
    const [alpha] = lab.hosts;
    if (alpha === undefined) throw new Error('no host');
    const environment = hostEnvironment(alpha, lab.configFile);
    expect(environment.PATH?.startsWith(`${programDirectory()}:`)).toBe(true);
    expect(environment).toMatchObject({ __DRBD_NODE__: 'alpha', UDRBD_RUN_DIR: alpha.runDirectory });
    const helper = fs.readFileSync(path.join(alpha.directory, 'usermode-helper'), 'utf8');
    expect(helper).toContain(`UDRBD_RUN_DIR='${alpha.runDirectory}'`);
    await destroyLab(lab);
  });
  test('lives in the state directory of the user', () => {
    expect(defaultDirectory({ XDG_STATE_HOME: '/s' })).toBe('/s/udrbd/lab');
    expect(defaultDirectory({ XDG_STATE_HOME: 'relative' })).toBe(
      path.join(os.homedir(), '.local/state/udrbd/lab'),
    );
  });
});

test('the state of a device is read from drbdsetup, whatever is missing', () => {
  expect(
    readState('[{"role":"Primary","devices":[{"disk-state":"UpToDate","size":4}],"connections":[]}]'),
  ).toEqual({
    role: 'Primary',
    disk: 'UpToDate',
    connection: '',
    replication: '',
    peerDisk: '',
    percentInSync: 0,
    received: 0,
    outOfSync: 0,
    size: 4,
  });
  expect(readState('[]').role).toBe('');
});

test('the narrator shows old-form warnings once, and fails where something is wrong', () => {
  const file = path.join(folder, 'said');
  const fd = fs.openSync(file, 'w');
  const narrator = new Narrator(fd, false, false);
  for (let i = 0; i < 2; i++) narrator.answer('done\n', "x: 'rate' is deprecated\n");
  narrator.progress(0);
  narrator.progress(4);
  narrator.progress(57);
  narrator.check('good', true);
  expect(() => narrator.check('bad', false, 'found')).toThrow(DemoFailure);
  fs.closeSync(fd);
  expect(fs.readFileSync(file, 'utf8').split('\n')).toEqual([
    "  x: 'rate' is deprecated",
    '  done',
    '  done',
    `  [${'.'.repeat(40)}]   0.0 %`,
    `  [${'#'.repeat(22)}${'.'.repeat(18)}]  57.0 %`,
    '  ok good',
    '  WRONG bad: found',
    '',
  ]);
});
